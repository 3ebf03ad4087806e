"""Meta filters and partitioners that break one promise each; `test_suites` sees that the suites notice."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from storegate.testing.meta_filter_suite import MetaFilterSuite
from storegate.testing.partitioner_suite import PartitionerSuite
from storegate.types import BlockMeta, FilterContext

Metas = Mapping[str, BlockMeta]


class ClockFilter:
    """Goes by the clock of the machine."""

    def select(self, metas: Metas, context: FilterContext) -> dict[str, str]:
        return {ulid: "old" for ulid, meta in metas.items() if meta.max_time < time.time() * 1000 - 10**11}


class GreedyFilter:
    """Takes the first block, whichever that is."""

    def select(self, metas: Metas, context: FilterContext) -> dict[str, str]:
        return {next(iter(metas)): "first"} if metas else {}


class RememberingFilter:
    """Drops what it has seen before."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def select(self, metas: Metas, context: FilterContext) -> dict[str, str]:
        again = {ulid: "again" for ulid in metas if ulid in self._seen}
        self._seen |= set(metas)
        return again


class ChangingFilter:
    """Takes blocks out of the metas that it is shown."""

    def select(self, metas: Any, context: FilterContext) -> dict[str, str]:
        if not metas:
            return {}
        return {metas.popitem()[0]: "gone"}


class ForeignFilter:
    """Names a block that was not shown."""

    def select(self, metas: Metas, context: FilterContext) -> dict[str, str]:
        return {"01AAAAAAAAAAAAAAAAAAAAAAAA": "foreign"}


class UnlistedFilter:
    """Gives a state that its provider does not list."""

    def select(self, metas: Metas, context: FilterContext) -> dict[str, str]:
        return dict.fromkeys(metas, "unlisted")


class Splitter:
    """One read for each range, also for those that overlap."""

    def partition(self, starts: Any, ends: Any) -> Any:
        return np.arange(len(starts), dtype=np.int64)


class Forgetful:
    """Leaves the first range out."""

    def partition(self, starts: Any, ends: Any) -> Any:
        return np.arange(1, len(starts), dtype=np.int64)


class Lazy:
    """One read for all, however large the gaps are."""

    def partition(self, starts: Any, ends: Any) -> Any:
        return np.zeros(min(1, len(starts)), dtype=np.int64)


class Untyped:
    """Answers with a list."""

    def partition(self, starts: Any, ends: Any) -> Any:
        return [0] if len(starts) else []


class TestClock(MetaFilterSuite):
    @pytest.fixture
    def meta_filter(self) -> Any:
        return ClockFilter()


class TestGreedy(MetaFilterSuite):
    @pytest.fixture
    def meta_filter(self) -> Any:
        return GreedyFilter()


class TestRemembering(MetaFilterSuite):
    @pytest.fixture
    def meta_filter(self) -> Any:
        return RememberingFilter()


class TestChanging(MetaFilterSuite):
    @pytest.fixture
    def meta_filter(self) -> Any:
        return ChangingFilter()


class TestForeign(MetaFilterSuite):
    @pytest.fixture
    def meta_filter(self) -> Any:
        return ForeignFilter()


class TestUnlisted(MetaFilterSuite):
    states = ("other",)

    @pytest.fixture
    def meta_filter(self) -> Any:
        return UnlistedFilter()


class TestSplitter(PartitionerSuite):
    @pytest.fixture
    def partitioner(self) -> Any:
        return Splitter()


class TestForgetful(PartitionerSuite):
    @pytest.fixture
    def partitioner(self) -> Any:
        return Forgetful()


class TestLazy(PartitionerSuite):
    max_gap = 1000

    @pytest.fixture
    def partitioner(self) -> Any:
        return Lazy()


class TestUntyped(PartitionerSuite):
    @pytest.fixture
    def partitioner(self) -> Any:
        return Untyped()
