"""Postings lists on their way into the index cache and back, counted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from storegate.cache.postings_codec import decode_postings, encode_postings
from storegate.index.access import Access

Key = TypeVar("Key")
Refs = NDArray[np.uint32]


def encode_lists(lists: Mapping[Key, Refs], access: Access) -> dict[Key, bytes]:
    """The cache values of lists."""
    started = time.perf_counter()
    values = {key: encode_postings(refs) for key, refs in lists.items()}
    original, size = sum(refs.nbytes for refs in lists.values()), sum(map(len, values.values()))
    access.metrics.fetches(access.tenant).encoded(len(values), original, size, time.perf_counter() - started)
    return values


def decode_lists(values: Mapping[Key, bytes], access: Access) -> dict[Key, Refs]:
    """The lists that cache values stand for; a value that is not what was stored is left out."""
    if not values:
        return {}
    started = time.perf_counter()
    decoded = {key: decode_postings(value) for key, value in values.items()}
    lists = {key: refs for key, refs in decoded.items() if refs is not None}
    access.metrics.fetches(access.tenant).decoded(len(values), len(values) - len(lists), time.perf_counter() - started)
    return lists
