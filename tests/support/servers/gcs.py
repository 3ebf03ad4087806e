"""Fixtures that start gcs for tests."""
