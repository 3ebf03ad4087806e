"""MEMCACHED: a cache in memcached servers."""
