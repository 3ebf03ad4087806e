"""Values and keys: what is stored comes back, under its key alone, until its time is over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random

from storegate.testing.cache_suite.fixtures import LONG, Suite
from storegate.types import Cache


class ValueTests(Suite):
    """`get_many` and `set_many` of the cache itself."""

    def test_stored_values_come_back_and_absent_keys_are_left_out(self, cache: Cache, prefix: str) -> None:
        items = {prefix + name: name.encode() for name in ("a", "b", "c")}
        cache.set_many(items, LONG)
        assert cache.get_many([prefix + "x", *items, prefix + "y"]) == items

    def test_nothing_is_found_where_nothing_was_stored(self, cache: Cache, prefix: str) -> None:
        assert cache.get_many([prefix + "a", prefix + "b"]) == {}

    def test_no_keys_and_no_items_are_no_trouble(self, cache: Cache) -> None:
        cache.set_many({}, LONG)
        assert cache.get_many([]) == {}

    def test_a_key_that_is_asked_for_twice_is_found(self, cache: Cache, prefix: str) -> None:
        cache.set_many({prefix: b"1"}, LONG)
        assert cache.get_many([prefix, prefix]) == {prefix: b"1"}

    def test_storing_a_key_again_replaces_its_value(self, cache: Cache, prefix: str) -> None:
        cache.set_many({prefix: b"old"}, LONG)
        cache.set_many({prefix: b"newer"}, LONG)
        assert cache.get_many([prefix]) == {prefix: b"newer"}

    def test_values_may_hold_any_bytes_or_none(self, cache: Cache, prefix: str) -> None:
        items = {prefix + "all": bytes(range(256)), prefix + "empty": b"", prefix + "lines": b"END\r\nVALUE x 0 1\r\n"}
        cache.set_many(items, LONG)
        assert cache.get_many(list(items)) == items

    def test_values_are_bytes(self, cache: Cache, prefix: str) -> None:
        cache.set_many({prefix: b"12345"}, LONG)
        assert type(cache.get_many([prefix])[prefix]) is bytes

    def test_a_large_value_comes_back_whole(self, cache: Cache, prefix: str) -> None:
        value = Random(1).randbytes(self.large)
        cache.set_many({prefix: value, prefix + "small": b"1"}, LONG)
        assert cache.get_many([prefix + "small", prefix]) == {prefix: value, prefix + "small": b"1"}

    def test_a_thousand_keys_at_once(self, cache: Cache, prefix: str) -> None:
        items = {f"{prefix}{i}": bytes([i % 256]) * (i % 300) for i in range(1000)}
        cache.set_many(items, LONG)
        assert cache.get_many(list(items)) == items

    def test_odd_keys_are_kept_apart(self, cache: Cache, prefix: str) -> None:
        items = {prefix + key: f"value {i}".encode() for i, key in enumerate(self.odd_keys)}
        cache.set_many(items, LONG)
        assert cache.get_many(list(items)) == items

    def test_long_keys_that_differ_at_their_ends_are_kept_apart(self, cache: Cache, prefix: str) -> None:
        items = {prefix + "x" * 400 + end: end.encode() for end in "ab"}
        cache.set_many(items, LONG)
        assert cache.get_many(list(items)) == items

    def test_values_expire(self, cache: Cache, prefix: str) -> None:
        cache.set_many({prefix + "short": b"1"}, self.shortest_ttl)
        cache.set_many({prefix + "long": b"2"}, LONG)
        both = [prefix + "short", prefix + "long"]
        assert self.wait_for(lambda: cache.get_many(both) == {prefix + "long": b"2"})

    def test_a_fraction_of_a_second_is_a_lifetime(self, cache: Cache, prefix: str) -> None:
        cache.set_many({prefix: b"1"}, 0.01)
        assert self.wait_for(lambda: cache.get_many([prefix]) == {})

    def test_a_lifetime_of_months_is_no_time_in_the_past(self, cache: Cache, prefix: str) -> None:
        cache.set_many({prefix: b"1"}, 90 * 86_400.0)
        assert cache.get_many([prefix]) == {prefix: b"1"}

    def test_another_instance_may_be_closed_meanwhile(self, cache: Cache, open_cache: object, prefix: str) -> None:
        assert callable(open_cache)
        other = open_cache()
        other.set_many({prefix + "other": b"1"}, LONG)
        other.close()
        cache.set_many({prefix: b"2"}, LONG)
        assert cache.get_many([prefix]) == {prefix: b"2"}

    def test_threads_get_what_belongs_to_their_keys(self, cache: Cache, prefix: str) -> None:
        def work(thread: int) -> list[dict[str, bytes]]:
            wrong = []
            for i in range(30):
                items = {f"{prefix}{thread}-{i}-{n}": f"{thread}-{i}-{n}".encode() * 50 for n in range(5)}
                cache.set_many(items, LONG)
                if cache.get_many(list(items)) != items:
                    wrong.append(items)
            return wrong

        with ThreadPoolExecutor(8) as pool:
            assert [wrong for wrong in pool.map(work, range(8)) if wrong] == []
