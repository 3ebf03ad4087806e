"""Meta files and marks from the cache."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from storegate.errors import NotFoundError, UnavailableError
from storegate.testing.faults import Fault, FaultyStore, HoldingStore
from storegate.testing.memory_store import MemoryStore

from .conftest import CHUNKS, MARK, META, cached

Make = Callable[..., Any]


def kept(made: Any, kind: str) -> list[str]:
    return [key for key in made.cache.values if key.startswith(f"{kind}:")]


# --- content ---


@pytest.mark.parametrize("key", [META, MARK])
def test_content_is_read_once(make: Make, key: str) -> None:
    made = make({key: b"{}"})
    assert [made.bucket.get(key) for _ in range(3)] == [b"{}"] * 3
    assert made.asked() == ["get"]


def test_content_serves_other_processes(make: Make) -> None:
    made = make()
    made.bucket.get(META)
    other = made.again()
    assert other.bucket.get(META) == b'{"version": 1}'
    assert other.asked() == []


def test_other_objects_are_not_kept(make: Make) -> None:
    made = make({"a/no-compact-mark.json": b"{}", "a/index": b"x"})
    for key in ("a/no-compact-mark.json", "a/index", "a/index"):
        made.bucket.get(key)
    assert (made.asked(), made.cache.values) == (["get"] * 3, {})


def test_content_over_the_size_limit_is_not_kept(make: Make) -> None:
    made = make({META: b"x" * 11}, metafile_max_size=10)
    for _ in range(2):
        made.bucket.get(META)
    assert made.asked() == ["get", "get"]


def test_content_lives_for_its_time_from_the_start_of_the_read(make: Make) -> None:
    made = make(metafile_content_ttl=100.0)
    get = made.store.get

    def slow(key: str) -> bytes:
        made.clock.now += 30
        return get(key)

    made.bucket._documents._store = type("Slow", (), {"get": staticmethod(slow), "name": "slow"})()
    made.bucket.get(META)
    assert made.cache.lifetimes[kept(made, "content")[0]] == 70.0


def test_damaged_content_is_read_anew(make: Make) -> None:
    made = make()
    made.bucket.get(META)
    made.cache.values = {key: value[:-2] for key, value in made.cache.values.items()}
    assert made.bucket.get(META) == b'{"version": 1}'
    assert made.asked() == ["get", "get"]


def test_a_rewritten_file_is_read_anew_once_a_listing_shows_it(make: Make) -> None:
    made = make()
    list(made.bucket.list(f"{META[:26]}/"))
    made.bucket.get(META)
    made.inner.put(META, b'{"version": 1, "new": 2}')
    list(made.bucket.list(f"{META[:26]}/"))
    assert made.bucket.get(META) == b'{"version": 1, "new": 2}'


def test_content_of_another_version_than_listed_is_not_kept(make: Make) -> None:
    made = make()
    list(made.bucket.list(f"{META[:26]}/"))
    made.inner.put(META, b"{}")
    assert made.bucket.get(META) == b"{}"
    assert kept(made, "content") == []


# --- absence ---


def test_a_file_that_is_absent_is_remembered_as_such(make: Make) -> None:
    made = make({})
    for _ in range(2):
        with pytest.raises(NotFoundError, match=MARK):
            made.bucket.get(MARK)
    assert made.asked() == ["get"]
    assert made.cache.lifetimes == {kept(made, "exists")[0]: 900.0}


def test_absence_found_by_a_read_answers_questions_about_existence(make: Make) -> None:
    made = make({})
    with pytest.raises(NotFoundError):
        made.bucket.get(MARK)
    with pytest.raises(NotFoundError, match="the caching bucket remembers"):
        made.bucket.head(MARK)
    assert made.asked() == ["get"]


def test_a_listing_that_shows_a_file_outdates_its_absence(make: Make) -> None:
    made = make({})
    with pytest.raises(NotFoundError):
        made.bucket.get(MARK)
    made.inner.put(MARK, b"{}")
    list(made.bucket.list(f"{META[:26]}/"))
    assert made.bucket.get(MARK) == b"{}"


def test_other_errors_are_not_remembered(make: Make) -> None:
    inner = MemoryStore({META: b"{}"})
    made = cached(inner, store=FaultyStore(inner, Fault(times=1, error=UnavailableError("away"))))
    with pytest.raises(UnavailableError):
        made.bucket.get(META)
    assert made.bucket.get(META) == b"{}"


# --- existence ---


def test_existence_is_asked_once_and_tells_size_and_time(make: Make) -> None:
    made = make()
    first, second = made.bucket.head(META), made.bucket.head(META)
    assert (first, second) == (made.inner.head(META),) * 2
    assert made.asked() == ["head"]
    assert made.cache.lifetimes == {kept(made, "exists")[0]: 7200.0}


def test_existence_without_attributes_is_asked_again(make: Make) -> None:
    made = make({})
    made.bucket.put(META, b"{}")
    assert made.bucket.head(META).size == 2
    assert made.asked() == ["put", "head"]


def test_damaged_existence_is_asked_again(make: Make) -> None:
    made = make()
    made.bucket.head(META)
    made.cache.values = {key: b"\xff" * 9 for key in made.cache.values}
    assert made.bucket.head(META).size == 14
    assert made.asked() == ["head", "head"]


# --- writes ---


def test_a_written_file_is_read_from_the_cache(make: Make) -> None:
    made = make({})
    with pytest.raises(NotFoundError):
        made.bucket.get(MARK)
    made.bucket.put(MARK, b"{}")
    assert made.bucket.get(MARK) == b"{}"
    assert made.asked() == ["get", "put"]


def test_a_replaced_file_is_not_read_as_it_was(make: Make) -> None:
    made = make()
    made.bucket.get(META)
    made.bucket.put(META, b"[]")
    assert (made.bucket.get(META), made.again().bucket.get(META)) == (b"[]", b"[]")


def test_a_deleted_file_is_gone(make: Make) -> None:
    made = make()
    made.bucket.get(META)
    made.bucket.delete(META)
    with pytest.raises(NotFoundError):
        made.bucket.get(META)
    with pytest.raises(NotFoundError):
        made.bucket.head(META)


# --- one flight ---


def test_many_who_want_a_file_cause_one_read() -> None:
    inner = MemoryStore({META: b"{}"})
    holding = HoldingStore(inner, operation="get")
    made = cached(inner, store=holding)
    began = threading.Barrier(5, timeout=10)

    def get() -> bytes:
        began.wait()
        return made.bucket.get(META)

    with ThreadPoolExecutor(5) as pool:
        wanting = [pool.submit(get) for _ in range(5)]
        assert holding.reached.wait(10)
        holding.release()
        assert [one.result(10) for one in wanting] == [b"{}"] * 5
    assert made.asked() == ["get"]


# --- metrics ---


def test_reads_and_questions_are_counted_with_their_hits(make: Make) -> None:
    made = make()
    for _ in range(3):
        made.bucket.get(META)
    for _ in range(3):
        made.bucket.head(META)
    of = {"config": "meta.jsons"}
    counts = [
        made.sample(f"operation_{what}", operation=operation, **of)
        for operation in ("get", "exists")
        for what in ("requests", "hits")
    ]
    assert counts == [3, 2, 3, 2]


def test_absence_from_the_cache_is_a_hit(make: Make) -> None:
    made = make({CHUNKS: b"x"})
    for _ in range(2):
        with pytest.raises(NotFoundError):
            made.bucket.get(MARK)
    assert made.sample("operation_hits", operation="get", config="meta.jsons") == 1
