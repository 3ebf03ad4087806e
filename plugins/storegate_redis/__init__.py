"""REDIS: a cache in Redis."""
