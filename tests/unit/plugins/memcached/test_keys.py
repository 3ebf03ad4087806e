"""Keys on the wire, and the servers that they belong to."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate_memcached.keys import PICKS, jump_hash, natural_order, wire_key

SERVERS = [f"memcached-{i}:11211" for i in range(10)]
KEYS = [f"S:01M825MV2C4TKVWJ6ER5F6MD5M:{i}".encode() for i in range(2000)]


@pytest.mark.parametrize("key", ["P:01M825MV2C4TKVWJ6ER5F6MD5M:abc:dss", "x" * 250, "~!"])
def test_a_plain_key_stays_as_it_is(key: str) -> None:
    assert wire_key(key) == key.encode()


@pytest.mark.parametrize("key", ["", "x" * 251, "a b", "a\n", "a\x00", "ä", "\x7f", "\udcff"])
def test_any_other_key_becomes_a_digest(key: str) -> None:
    assert wire_key(key).startswith(b"sg:")


@given(st.text())
def test_the_protocol_takes_every_wire_key(key: str) -> None:
    wire = wire_key(key)
    assert 0 < len(wire) <= 250
    assert all(0x20 < byte < 0x7F for byte in wire)


@given(st.text(max_size=300), st.text(max_size=300))
def test_different_keys_stay_different(a: str, b: str) -> None:
    assert (wire_key(a) == wire_key(b)) is (a == b)


@pytest.mark.parametrize(
    ("number", "buckets", "bucket"),
    [(1, 1, 0), (42, 57, 43), (0xDEAD10CC, 1, 0), (0xDEAD10CC, 666, 361), (256, 1024, 520)],
)
def test_jump_hash_gives_the_published_buckets(number: int, buckets: int, bucket: int) -> None:
    assert jump_hash(number, buckets) == bucket


def test_addresses_are_ordered_by_their_numbers() -> None:
    addresses = ["m10:11211", "m2:11211", "m1:11211", "10.0.0.9:1", "10.0.0.10:1", "a:1"]
    assert sorted(addresses, key=natural_order) == [
        "10.0.0.9:1",
        "10.0.0.10:1",
        "a:1",
        "m1:11211",
        "m2:11211",
        "m10:11211",
    ]


@pytest.mark.parametrize("name", PICKS)
def test_keys_are_spread_evenly(name: str) -> None:
    counts = Counter(PICKS[name](key, SERVERS) for key in KEYS)
    assert set(counts) == set(range(10))
    assert max(counts.values()) < 2 * min(counts.values())


@pytest.mark.parametrize("name", PICKS)
def test_one_more_server_takes_its_share_and_moves_no_other_key(name: str) -> None:
    before = [PICKS[name](key, SERVERS[:-1]) for key in KEYS]
    after = [PICKS[name](key, SERVERS) for key in KEYS]
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {9}
    assert len(moved) < len(KEYS) / 5


def test_rendezvous_moves_only_the_keys_of_a_server_that_goes() -> None:
    left = SERVERS[:4] + SERVERS[5:]
    for key in KEYS:
        before = SERVERS[PICKS["rendezvous"](key, SERVERS)]
        if before != SERVERS[4]:
            assert left[PICKS["rendezvous"](key, left)] == before
