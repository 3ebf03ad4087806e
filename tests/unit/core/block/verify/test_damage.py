"""Random damage is found, or it says nothing to any reader."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.testing.strategies import block_plans, damaged

LAYOUTS = ({}, {"label_indices": True}, {"index_version": 1}, {"segment_size": 500}, {"resolution": 300_000})


@st.composite
def places(draw: st.DrawFn, block: Any) -> tuple[str, int]:
    """An object of index or chunks, and a position in it."""
    path = draw(st.sampled_from([path for path in block.paths() if path != "meta.json"]))
    return path, draw(st.integers(0, len(block.get(path)) - 1))


def flip(block: Any, path: str, at: int, mask: int) -> None:
    data = bytearray(block.get(path))
    data[at] ^= mask
    block.put(path, bytes(data))


@given(options=st.sampled_from(LAYOUTS), data=st.data())
def test_a_flipped_byte_is_found(make: Any, options: dict[str, Any], data: st.DataObject) -> None:
    block = make(**options)
    before = block.meaning()
    flip(block, *data.draw(places(block)), data.draw(st.integers(1, 255)))
    verdict = block.verify()
    assert verdict.problems != ()
    if verdict.sound:  # warnings alone: padding, or sections that nothing reads
        assert block.meaning() == before


@given(plan=block_plans(min_series=1), data=st.data())
def test_a_flipped_byte_of_a_random_block_is_found(make_raw: Any, plan: Any, data: st.DataObject) -> None:
    block = make_raw(plan.series, options=plan.options)
    before = block.meaning()
    flip(block, *data.draw(places(block)), data.draw(st.integers(1, 255)))
    verdict = block.verify()
    assert verdict.problems != ()
    if verdict.sound:
        assert block.meaning() == before


@given(options=st.sampled_from(LAYOUTS), data=st.data(), part=st.sampled_from((8, 100, 1 << 20)))
def test_what_is_sound_after_damage_means_what_it_meant(
    make: Any, small_windows: Any, options: dict[str, Any], data: st.DataObject, part: int
) -> None:
    block = make(files=False, **options)  # without sizes in meta.json, which would give most damage away
    before = block.meaning()
    path, _ = data.draw(places(block))
    block.put(path, data.draw(damaged(block.get(path))))
    with small_windows(part):
        verdict = block.verify()
    if verdict.sound:
        assert block.meaning() == before


@pytest.mark.parametrize("path", ["index", "chunks/000001"])
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_are_damage(make: Any, path: str, data: bytes) -> None:
    block = make()
    block.put(path, data)
    assert not block.verify().sound


@given(data=st.data())
def test_a_damaged_meta_keeps_nothing_from_being_read(make: Any, data: st.DataObject) -> None:
    block = make()
    block.put("meta.json", data.draw(damaged(block.get("meta.json"))))
    verdict = block.verify()
    assert verdict.complete
    if not any(problem.code == "chunks-lost" for problem in verdict.problems):  # it names other segments
        assert (verdict.series, verdict.chunks, verdict.samples) == (7, 12, 760)
