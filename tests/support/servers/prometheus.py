"""Fixtures that start prometheus for tests."""
