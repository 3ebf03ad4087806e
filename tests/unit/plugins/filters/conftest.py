"""Metas for filters."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from storegate import BlockMeta, PluginContext


@pytest.fixture
def context() -> PluginContext:
    return PluginContext(name="filter", log=logging.getLogger(), registry=CollectorRegistry())


@pytest.fixture
def ulid() -> Callable[[int], str]:
    """A ULID by number; a larger number is a larger ULID. Its time is 1790000000000 ms."""
    return lambda number: f"01M3250V00{number:016d}"


@pytest.fixture
def meta(ulid: Callable[[int], str]) -> Callable[..., BlockMeta]:
    """A meta by number, with any fields."""

    def _meta(number: int, **fields: object) -> BlockMeta:
        return BlockMeta(**{"ulid": ulid(number), "min_time": 0, "max_time": 100, **fields})  # type: ignore[arg-type]

    return _meta
