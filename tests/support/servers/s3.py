"""Fixtures that start s3 for tests."""
