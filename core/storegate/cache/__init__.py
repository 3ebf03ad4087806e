"""Caching policy over any Cache plugin: keys, codecs, what is kept and for how long."""
