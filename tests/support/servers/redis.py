"""Fixtures that start redis for tests."""
