"""The chain of filters."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from storegate import BlockMeta, FilterContext
from storegate.block.chain import FilterChain, FilterError

METAS = {name: BlockMeta(ulid=name, min_time=0, max_time=1) for name in "abc"}
CONTEXT = FilterContext(now=0)


class Drops:
    """Drops given ULIDs, and remembers what it was shown."""

    def __init__(self, *ulids: str, state: str = "dropped") -> None:
        self._ulids = ulids
        self._state = state
        self.shown: list[str] = []

    def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
        self.shown = list(metas)
        return dict.fromkeys(self._ulids, self._state)


def test_each_filter_sees_what_those_before_it_left() -> None:
    first, second = Drops("a"), Drops("b", state="other")
    kept, dropped = FilterChain([("first", first), ("second", second)]).apply(METAS, CONTEXT)
    assert list(kept) == ["c"]
    assert dropped == {"a": ("dropped", "first"), "b": ("other", "second")}
    assert (first.shown, second.shown) == (["a", "b", "c"], ["b", "c"])


def test_a_filter_may_name_blocks_that_are_not_there() -> None:
    kept, dropped = FilterChain([("first", Drops("a")), ("second", Drops("a", "x"))]).apply(METAS, CONTEXT)
    assert list(kept) == ["b", "c"]
    assert dropped == {"a": ("dropped", "first")}


def test_a_filter_that_changes_its_argument_changes_nothing() -> None:
    class Clears:
        def select(self, metas: dict[str, BlockMeta], context: FilterContext) -> dict[str, str]:
            metas.clear()
            return {}

    kept, _ = FilterChain([("clears", Clears())]).apply(METAS, CONTEXT)  # type: ignore[list-item]
    assert list(kept) == ["a", "b", "c"]


def test_without_filters_all_pass() -> None:
    assert FilterChain([]).apply(METAS, CONTEXT) == (METAS, {})


@pytest.mark.parametrize("answer", [ValueError("boom"), None, 7])
def test_a_filter_that_fails_or_answers_nonsense_is_named(answer: object) -> None:
    class Broken:
        def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> object:
            if isinstance(answer, Exception):
                raise answer
            return answer

    with pytest.raises(FilterError, match=r"meta filter 'acme' failed"):
        FilterChain([("acme", Broken())]).apply(METAS, CONTEXT)  # type: ignore[list-item]
