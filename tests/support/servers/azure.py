"""Fixtures that start azure for tests."""
