"""The filter deduplicate."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from storegate import BlockMeta, FilterContext
from storegate_filters.config import DeduplicateConfig
from storegate_filters.deduplicate import Deduplicate

Make = Callable[..., BlockMeta]


def duplicates(*metas: BlockMeta) -> set[str]:
    found = Deduplicate().select({meta.ulid: meta for meta in metas}, FilterContext(now=0))
    assert set(found.values()) <= {"duplicate"}
    return set(found)


def slow_duplicates(metas: list[BlockMeta]) -> set[str]:
    """The rule of the format, read aloud."""
    found = set()
    kept: list[BlockMeta] = []
    for meta in sorted(metas, key=lambda meta: (-len(meta.sources), meta.ulid)):
        if any(
            other.resolution == meta.resolution
            and dict(other.labels) == dict(meta.labels)
            and set(meta.sources) <= set(other.sources)
            for other in kept
        ):
            found.add(meta.ulid)
        else:
            kept.append(meta)
    return found


def test_a_compacted_block_replaces_its_sources(meta: Make) -> None:
    one, two, both = meta(1, sources=("a",)), meta(2, sources=("b",)), meta(3, sources=("a", "b"))
    assert duplicates(one, two, both) == {one.ulid, two.ulid}


def test_of_equal_sources_the_smallest_ulid_stays(meta: Make) -> None:
    metas = [meta(n, sources=("a", "b")) for n in (2, 1, 3)]
    assert duplicates(*metas) == {metas[0].ulid, metas[2].ulid}


def test_two_blocks_together_cover_nothing(meta: Make) -> None:
    metas = [meta(1, sources=("a", "b")), meta(2, sources=("c", "d")), meta(3, sources=("b", "c"))]
    assert duplicates(*metas) == set()


@pytest.mark.parametrize("other", [{"resolution": 300_000}, {"labels": {"x": "2"}}, {"labels": {"x": "1", "y": ""}}])
def test_resolutions_and_label_sets_are_apart(meta: Make, other: dict[str, object]) -> None:
    first = meta(1, sources=("a",), labels={"x": "1"})
    second = meta(2, **{"sources": ("a", "b"), "labels": {"x": "1"}, **other})
    assert duplicates(first, second) == set()


def test_a_block_without_sources_is_covered_by_any_other(meta: Make) -> None:
    empty, other = meta(1), meta(2, sources=("a",))
    assert duplicates(empty) == set()
    assert duplicates(empty, other) == {empty.ulid}
    assert duplicates(empty, meta(3)) == {meta(3).ulid}


def test_ten_thousand_unrelated_blocks_take_no_time(meta: Make) -> None:
    assert duplicates(*(meta(n, sources=(str(n),)) for n in range(10_000))) == set()


@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from("abcde")), st.sampled_from([0, 300_000]), st.sampled_from("xy")), max_size=12
    )
)
def test_it_agrees_with_the_rule_read_aloud(specs: list[tuple[set[str], int, str]]) -> None:
    metas = [
        BlockMeta(
            ulid=f"{number:026d}",
            min_time=0,
            max_time=1,
            sources=tuple(sorted(sources)),
            resolution=resolution,
            labels={"l": label},
        )
        for number, (sources, resolution, label) in enumerate(specs)
    ]
    assert duplicates(*metas) == slow_duplicates(metas)


def test_it_has_no_settings() -> None:
    with pytest.raises(ValidationError):
        DeduplicateConfig.model_validate({"anything": 1})
