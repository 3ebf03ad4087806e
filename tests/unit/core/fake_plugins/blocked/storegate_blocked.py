"""Tests disable this plugin: importing it is the failure."""

raise RuntimeError("imported although disabled")
