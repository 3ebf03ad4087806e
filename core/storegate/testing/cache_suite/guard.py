"""The cache as storegate calls it: limits, wrong values, the end."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from storegate.cache.envelope import seal
from storegate.cache.guard import GuardedCache
from storegate.testing.cache_suite.fixtures import LONG, PATIENCE, OpenCache, Suite
from storegate.types import Cache, CacheLimits

KEY_OF_ANOTHER = "another key"

WRONG: dict[str, Callable[[str], bytes]] = {
    "foreign": lambda key: b"\x00\x01\x02 of some other program",
    "empty": lambda key: b"",
    "truncated": lambda key: seal(key, b"12345" * 100)[:-7],
    "cut in its head": lambda key: seal(key, b"12345")[:10],
    "a flipped bit": lambda key: flipped(seal(key, b"12345" * 100)),
    "another version": lambda key: seal(key, b"12345").replace(b"sgC\x01", b"sgC\xfe"),
    "of another key": lambda key: seal(KEY_OF_ANOTHER, b"12345"),
}


class GuardTests(Suite):
    """`GuardedCache` around the cache."""

    def test_queued_values_arrive(self, guarded: GuardedCache, prefix: str) -> None:
        items = {f"{prefix}{i}": Random(i).randbytes(i) for i in range(500)}
        guarded.set_many(items, LONG)
        assert guarded.flush(PATIENCE)
        assert guarded.get_many(list(items)) == items

    def test_compressible_values_come_back_whole(self, guarded: GuardedCache, prefix: str) -> None:
        items = {prefix: b"label\x00value\x00" * 10_000}
        guarded.set_many(items, LONG)
        assert guarded.flush(PATIENCE)
        assert guarded.get_many([prefix]) == items

    def test_odd_keys_come_back(self, guarded: GuardedCache, prefix: str) -> None:
        items = {prefix + key: key.encode() for key in self.odd_keys}
        guarded.set_many(items, LONG)
        assert guarded.flush(PATIENCE)
        assert guarded.get_many(list(items)) == items

    @pytest.mark.parametrize("kind", WRONG)
    def test_a_wrong_value_is_a_miss(
        self, cache: Cache, guarded: GuardedCache, registry: CollectorRegistry, prefix: str, kind: str
    ) -> None:
        guarded.set_many({prefix + "right": b"1"}, LONG)
        assert guarded.flush(PATIENCE)
        cache.set_many({prefix + "wrong": WRONG[kind](prefix + "wrong")}, LONG)
        assert guarded.get_many([prefix + "wrong", prefix + "right"]) == {prefix + "right": b"1"}
        assert wrong_values(registry) == 1

    def test_a_value_above_the_item_limit_is_left_out_alone(self, guarded: GuardedCache, open_cache: OpenCache) -> None:
        limits: CacheLimits | None = getattr(open_cache(), "limits", None)
        size = (limits.max_item_size if limits else 0) or self.large
        guarded.set_many({"suite-above": Random(2).randbytes(size + 1), "suite-beside": b"1"}, LONG)
        assert guarded.flush(PATIENCE)
        found = guarded.get_many(["suite-above", "suite-beside"])
        assert found.pop("suite-beside") == b"1"
        assert bool(found) is not bool(limits and limits.max_item_size)

    def test_after_close_everything_is_a_miss(
        self, open_cache: OpenCache, registry: CollectorRegistry, prefix: str
    ) -> None:
        guarded = GuardedCache(open_cache(), name="closed", registry=registry)
        guarded.set_many({prefix: b"1"}, LONG)
        guarded.close()
        guarded.set_many({prefix: b"2"}, LONG)
        assert guarded.get_many([prefix]) == {}


def flipped(sealed: bytes) -> bytes:
    """One bit in the middle is another."""
    middle = len(sealed) // 2
    return sealed[:middle] + bytes([sealed[middle] ^ 4]) + sealed[middle + 1 :]


def wrong_values(registry: CollectorRegistry) -> float:
    """How many wrong values were counted, of any kind."""
    return sum(
        sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "storegate_cache_wrong_values_total"
    )
