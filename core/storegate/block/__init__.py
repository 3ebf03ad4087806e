"""Blocks: finding them in the bucket, deciding which to serve, opening them, and choosing among them for a request."""
