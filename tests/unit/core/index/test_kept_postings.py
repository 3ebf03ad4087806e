from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from storegate.index.kept_postings import decode_lists, encode_lists
from storegate.metrics import Metrics

REFS = np.array([3, 5, 8], np.uint32)
NAME = "thanos_bucket_store_cached_postings_"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def access(make_index: Callable[..., Any], registry: CollectorRegistry) -> Any:
    return make_index([{"a": "b"}]).access(Metrics(registry))


@pytest.fixture
def count(registry: CollectorRegistry) -> Callable[..., float | None]:
    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(NAME + name, {"tenant": "default-tenant", **labels})

    return value


def test_lists_are_read_back_as_they_were(access: Any) -> None:
    assert decode_lists(encode_lists({"k": REFS}, access), access)["k"].tolist() == REFS.tolist()


def test_encoding_counts_lists_and_bytes(access: Any, count: Callable[..., float | None]) -> None:
    values = encode_lists({1: REFS, 2: REFS}, access)
    assert count("compressions_total", op="encode") == 2
    assert count("original_size_bytes_total") == 24
    assert count("compressed_size_bytes_total") == sum(map(len, values.values()))


def test_a_damaged_value_is_left_out_and_counted(access: Any, count: Callable[..., float | None]) -> None:
    values = encode_lists({1: REFS, 2: REFS}, access)
    assert list(decode_lists(values | {2: values[2][:-1]}, access)) == [1]
    assert count("compressions_total", op="decode") == 2
    assert count("compression_errors_total", op="decode") == 1
