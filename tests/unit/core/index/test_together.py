"""What many queries miss in the index cache at the same time is fetched once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from storegate.errors import CancelledError, CorruptError, DeadlineError, LimitError
from storegate.index import lists, pages
from storegate.index.expand import digest_of, expand_postings
from storegate.index.pages import fetch_entries
from storegate.index.together import fetch_together
from storegate.query.call import Call
from storegate.reads import Reader
from storegate.steps import Fetcher
from storegate.testing.faults import CountingStore, Fault, FaultyStore, HoldingStore, shorten

ULID = "01M3250V000000000000000001"
KEY = f"{ULID}/index"
SERIES = [{"i": f"{i:02}", "job": "abc"[i % 3], "x": "y"} for i in range(30)]
EVERY_JOB = list(range(30))


class WatchedCall(Call):
    """A call that tells when it begins to wait."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.waits = threading.Event()

    def wait(self, event: threading.Event, timeout: float | None = None) -> bool:
        self.waits.set()
        return super().wait(event, timeout)


@pytest.fixture
def index(make_index: Any) -> Any:
    return make_index(SERIES)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def side() -> Iterator[ThreadPoolExecutor]:
    """Of queries."""
    with ThreadPoolExecutor(120) as side:
        yield side


class House:
    """Many queries over one index, its cache and its flights; the store holds reads back until `release`."""

    def __init__(self, index: Any, pool: ThreadPoolExecutor, wrap: Callable[[Any], Any] = lambda store: store) -> None:
        self.index = index
        self.holding = HoldingStore(wrap(index.inner))
        self.store = CountingStore(self.holding)
        self.reader = Reader(self.store, pool)
        self.cache = index.access().cache

    def access(self, **options: Any) -> Any:
        access = self.index.access(**options)
        access.cache = self.cache
        return access

    def drive(self, *works: Any, call: Call | None = None) -> Any:
        fetcher = Fetcher(self.reader, self.cache.cache, call or Call())
        return fetcher.drive((ULID, work) for work in works)

    def expand(self, *texts: str, access: Any = None) -> Any:
        matchers = tuple(self.matcher(text) for text in texts)
        access = access or self.access()
        return expand_postings(ULID, KEY, self.index.header, matchers, digest_of(matchers), access, series_size=65_536)

    matcher: Any

    def numbers(self, expanded: Any) -> list[int]:
        scale = self.index.header.scale
        return [self.index.built.offsets.index(ref * scale) for ref in expanded.refs.tolist()]


@pytest.fixture
def house(index: Any, pool: ThreadPoolExecutor, matcher: Any) -> House:
    house = House(index, pool)
    house.matcher = matcher
    return house


def start(side: ThreadPoolExecutor, house: House, *works: Any) -> tuple[Any, WatchedCall]:
    """Begin a query; it waits for the store or for another query when this returns."""
    call = WatchedCall()
    running = side.submit(lambda: house.drive(*works, call=call))
    return running, call


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets every index count as large: lists and pages are read by themselves."""
    monkeypatch.setattr(lists, "SMALL_INDEX", 0)


# --- a hundred equal queries ---


@pytest.mark.parametrize("enabled", [(), ("Series",), ("Postings",)], ids=["all kept", "series kept", "postings kept"])
@pytest.mark.parametrize("small", [True, False], ids=["small", "large"])
def test_a_hundred_equal_queries_read_postings_once(
    house: House, side: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, enabled: tuple[str, ...], small: bool
) -> None:
    if not small:
        monkeypatch.setattr(lists, "SMALL_INDEX", 0)
    house.index.enabled = enabled
    house.cache = house.index.access().cache
    leader, _ = start(side, house, house.expand("job=~a|b"))
    assert house.holding.reached.wait(10)
    others = [start(side, house, house.expand("job=~a|b")) for _ in range(99)]
    assert all(call.waits.wait(10) for _, call in others)
    house.holding.release()
    answers = [house.numbers(one.result(10)[0]) for one in (leader, *(running for running, _ in others))]
    assert answers == [[i for i in range(30) if i % 3 < 2]] * 100
    assert house.store.count() == 1


@pytest.mark.usefixtures("large")
def test_many_equal_queries_read_pages_once(
    house: House, side: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE", 64)
    monkeypatch.setattr(pages, "FEW_PAGES", 0)
    refs = house.index.refs(0, 29)
    house.index.gap = 0

    def work() -> Any:
        return fetch_entries(ULID, KEY, house.index.header, refs, 30, house.access())

    leader, _ = start(side, house, work())
    assert house.holding.reached.wait(10)
    others = [start(side, house, work()) for _ in range(9)]
    assert all(call.waits.wait(10) for _, call in others)
    house.holding.release()
    found = [one.result(10)[0] for one in (leader, *(running for running, _ in others))]
    assert len({(bytes(arena), runs.tobytes()) for arena, runs in found}) == 1
    assert house.store.count() == 2


@pytest.mark.usefixtures("large")
def test_different_queries_share_the_lists_that_both_need(house: House, side: ThreadPoolExecutor) -> None:
    house.index.gap = 0
    first, _ = start(side, house, house.expand("job=a", "x=y"))
    assert house.holding.reached.wait(10)
    second, call = start(side, house, house.expand("job=a", "i=~0.*"))
    assert call.waits.wait(10)
    house.holding.release()
    assert house.numbers(first.result(10)[0]) == list(range(0, 30, 3))
    assert house.numbers(second.result(10)[0]) == [0, 3, 6, 9]
    asked = [(request.offset, request.length) for request in house.store.requests()]
    assert len(asked) == len(set(asked))


def test_different_queries_share_a_small_index(house: House, side: ThreadPoolExecutor) -> None:
    first, _ = start(side, house, house.expand("job=a"))
    assert house.holding.reached.wait(10)
    second, call = start(side, house, house.expand("job=b"))
    assert call.waits.wait(10)
    house.holding.release()
    assert (len(house.numbers(first.result(10)[0])), len(house.numbers(second.result(10)[0]))) == (10, 10)
    assert house.store.count() == 1


def test_what_others_brought_is_charged_like_what_the_cache_has(house: House, side: ThreadPoolExecutor) -> None:
    leader, _ = start(side, house, house.expand("job=a"))
    assert house.holding.reached.wait(10)
    house.index.charges.clear()
    follower, call = start(side, house, house.expand("job=a"))
    assert call.waits.wait(10)
    house.holding.release()
    leader.result(10), follower.result(10)
    assert house.index.charges == [(12 + 4 * 10, "loading expanded postings from index cache")]


# --- when a fetch comes to nothing ---


def test_a_cancelled_leader_is_replaced(house: House, side: ThreadPoolExecutor) -> None:
    leader, call = start(side, house, house.expand("job=a"), house.expand("job=b"))
    assert house.holding.reached.wait(10)
    followers = [start(side, house, house.expand("job=a")) for _ in range(5)]
    assert all(other.waits.wait(10) for _, other in followers)
    call.cancel()
    house.holding.release()
    assert isinstance(leader.exception(10), CancelledError)
    assert {tuple(house.numbers(one.result(10)[0])) for one, _ in followers} == {tuple(range(0, 30, 3))}


def test_each_waits_no_longer_than_its_own_deadline(house: House, side: ThreadPoolExecutor) -> None:
    leader, _ = start(side, house, house.expand("job=a"))
    assert house.holding.reached.wait(10)
    with pytest.raises(DeadlineError):
        house.drive(house.expand("job=a"), call=Call(deadline=time.monotonic() + 0.02))
    house.holding.release()
    assert len(leader.result(10)[0].refs) == 10


def test_a_limit_of_the_leader_is_not_that_of_the_others(house: House, side: ThreadPoolExecutor) -> None:
    poor = house.access()
    charged = threading.Event()
    go = threading.Event()

    def refuse(size: int, what: str) -> None:
        charged.set()
        assert go.wait(10)
        raise LimitError(what, limit="bytes", allowed=1, reached=size)

    poor.charge = refuse
    leader, _ = start(side, house, house.expand("job=a", access=poor))
    assert charged.wait(10)
    follower, call = start(side, house, house.expand("job=a"))
    assert call.waits.wait(10)
    house.holding.release()
    go.set()
    assert isinstance(leader.exception(10), LimitError)
    assert len(follower.result(10)[0].refs) == 10


def test_damage_in_the_bucket_is_told_to_all_who_wait(
    index: Any, pool: ThreadPoolExecutor, side: ThreadPoolExecutor, matcher: Any
) -> None:
    house = House(index, pool, lambda store: FaultyStore(store, Fault(change=shorten(1))))
    house.matcher = matcher
    leader, _ = start(side, house, house.expand("job=a"))
    assert house.holding.reached.wait(10)
    followers = [start(side, house, house.expand("job=a")) for _ in range(5)]
    assert all(call.waits.wait(10) for _, call in followers)
    house.holding.release()
    assert {type(one.exception(10)) for one in (leader, *(one for one, _ in followers))} == {CorruptError}
    assert house.store.count() == 1


def test_nothing_is_left_in_flight_after_an_error(index: Any, pool: ThreadPoolExecutor, matcher: Any) -> None:
    house = House(index, pool, lambda store: FaultyStore(store, Fault(change=shorten(1), times=1)))
    house.matcher = matcher
    house.holding.release()
    with pytest.raises(CorruptError):
        house.drive(house.expand("job=a"), house.expand("job=b"))
    assert house.cache.flights._flying == {}
    assert len(house.drive(house.expand("job=a"))[0].refs) == 10


# --- no deadlock ---


@pytest.mark.usefixtures("large")
def test_queries_that_lead_what_the_other_needs_do_not_block_each_other(house: House, side: ThreadPoolExecutor) -> None:
    texts = ["job=a", "job=b", "job=c", "x=y"]
    first, _ = start(side, house, *(house.expand(text) for text in texts))
    second, _ = start(side, house, *(house.expand(text) for text in reversed(texts)))
    third, _ = start(side, house, *(house.expand(text, "i=~[0-2].*") for text in texts[2:] + texts[:2]))
    house.holding.release()
    sizes = [[len(one.refs) for one in running.result(10)] for running in (first, second, third)]
    assert sizes == [[10, 10, 10, 30], [30, 10, 10, 10], [10, 30, 10, 10]]


def test_many_queries_over_many_things_all_end(house: House, side: ThreadPoolExecutor) -> None:
    house.holding.release()
    texts = ["job=a", "job=b", "job=c", "x=y", "job=~a|b", "i=~0.*", "job!=a"]
    for _ in range(5):
        house.index.cache.close()
        running = [
            start(side, house, *(house.expand(text) for text in texts[n % 7 :] + texts[: n % 7]))[0] for n in range(60)
        ]
        assert all(len(one.result(20)) == 7 for one in running)
    assert house.cache.flights._flying == {}


def test_an_event_loop_fetches_for_itself_instead_of_waiting(house: House, side: ThreadPoolExecutor) -> None:
    leader, _ = start(side, house, house.expand("job=a"))
    assert house.holding.reached.wait(10)
    direct = Fetcher(Reader(house.index.inner, side), house.cache.cache, Call())

    async def step() -> Any:
        return direct.drive([(ULID, house.expand("job=a"))])

    (found,) = asyncio.run(asyncio.wait_for(step(), 10))
    assert len(found.refs) == 10
    house.holding.release()
    assert len(leader.result(10)[0].refs) == 10


# --- between looking and boarding ---


def test_what_landed_meanwhile_is_looked_up_once_more(house: House) -> None:
    flights = house.cache.flights
    landings = flights.landings
    flights.board(["k"])
    flights.land({"k": 1})
    asked: list[Any] = []

    def look_again(items: Any) -> Any:
        asked.append(set(items))
        return {"item": "from the cache"}
        yield

    def fetch(items: Any) -> Any:
        raise AssertionError("must not be fetched")
        yield

    assert house.drive(fetch_together(flights, {"item": "k"}, landings, look_again, fetch)) == [
        ({}, {"item": "from the cache"})
    ]
    assert asked == [{"item"}]
    assert flights._flying == {}
