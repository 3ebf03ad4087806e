"""Fixtures that start memcached for tests."""
