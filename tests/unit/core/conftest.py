"""Fixtures for the tests of the core."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FAKE_PLUGINS = Path(__file__).parent / "fake_plugins"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes distributions of `fake_plugins/` look installed for one test."""
    for name in ("STOREGATE_PLUGINS_DISABLE", "STOREGATE_PLUGINS_ALLOW"):
        monkeypatch.delenv(name, raising=False)
    before = set(sys.modules)

    def _install(*cases: str) -> None:
        for case in cases:
            assert (FAKE_PLUGINS / case).is_dir()
            monkeypatch.syspath_prepend(str(FAKE_PLUGINS / case))

    yield _install
    for name in set(sys.modules) - before:
        if name.startswith("storegate_") and str(FAKE_PLUGINS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
