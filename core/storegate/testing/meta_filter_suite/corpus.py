"""The metas that filters are asked about: those of the conformance corpus, and random ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from hypothesis import strategies as st

from storegate.block.marks import parse_deletion_mark
from storegate.block.meta import parse_meta
from storegate.testing.strategies import external_label_sets
from storegate.types import BlockMeta, DeletionMark

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
TIMES = st.integers(0, 2**42)  # ms; up to the year 2109


def corpus_metas() -> dict[str, BlockMeta]:
    """The metas of the conformance corpus by ULID: raw and downsampled, compacted and fresh, of several tenants."""
    return {ulid: parse_meta(json.dumps(entry["meta"]).encode(), ulid) for ulid, entry in _documents().items()}


def corpus_marks() -> dict[str, DeletionMark]:
    """Its deletion marks by ULID."""
    return {
        ulid: parse_deletion_mark(json.dumps(entry["deletion_mark"]).encode(), ulid)
        for ulid, entry in _documents().items()
        if "deletion_mark" in entry
    }


@st.composite
def block_metas(draw: st.DrawFn) -> dict[str, BlockMeta]:
    """Random metas by ULID: any times, labels, levels, resolutions and sources, also of blocks that are not there."""
    ulids = draw(st.lists(_ulids(), max_size=6, unique=True))
    return {ulid: draw(_metas(ulid, ulids)) for ulid in ulids}


@st.composite
def _metas(draw: st.DrawFn, ulid: str, others: list[str]) -> BlockMeta:
    start = draw(TIMES)
    return BlockMeta(
        ulid=ulid,
        min_time=start,
        max_time=start + draw(st.integers(0, 2**40)),
        resolution=draw(st.sampled_from([0, 300_000, 3_600_000])),
        labels=dict(draw(external_label_sets())),
        level=draw(st.integers(1, 5)),
        sources=tuple(draw(st.lists(st.sampled_from(others) | _ulids(), max_size=4, unique=True))),
        source=draw(st.sampled_from(["", "sidecar", "compactor", "receive", "ruler", "bucket.repair"])),
        upload_time=draw(st.none() | TIMES),
    )


def _ulids() -> st.SearchStrategy[str]:
    return st.text(CROCKFORD, min_size=25, max_size=25).map("0".__add__)


@cache
def _documents() -> Mapping[str, Any]:
    text = resources.files(__package__).joinpath("corpus_metas.json").read_text(encoding="utf-8")
    documents: Mapping[str, Any] = json.loads(text)
    return documents
