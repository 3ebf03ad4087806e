"""The gateway in one process: what starts and stops in which order, and what it says about itself."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from storegate.config.settings import Settings
from storegate.errors import ConfigurationError, NotFoundError, UnavailableError
from storegate.gateway import Gateway
from storegate.manager import PluginManager
from storegate.query.call import Call
from storegate.query.request import LabelMatcher, LabelNamesRequest, LabelValuesRequest, SeriesRequest
from storegate.testing import write_block
from storegate.testing.faults import Fault, FaultyStore, HoldingStore
from storegate.testing.memory_store import MemoryStore

UP = [({"__name__": "up", "job": "a"}, [(1000, 1.0), (2000, 2.0)])]


class FakeFrontEnd:
    """Writes down what happens to it, and whether the gateway was ready."""

    def __init__(self, name: str, events: list[str], error: Exception | None = None) -> None:
        self.name = name
        self.address = f"{name}:1"
        self.gateway: Any = None
        self.grace = -1.0
        self._events = events
        self._error = error

    def start(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._events.append(f"start {self.name}")
        if self._error is not None:
            raise self._error

    def stop(self, grace: float) -> None:
        self._events.append(f"stop {self.name}")
        self.grace = grace


@dataclass
class Plugins:
    """The real plugins, but front ends `early` and `late` and the bucket are the test's own."""

    real: PluginManager
    store: Any
    errors: Mapping[str, Exception]
    events: list[str] = field(default_factory=list)
    fronts: list[FakeFrontEnd] = field(default_factory=list)

    def get(self, kind: str, name: str, **where: str) -> Any:
        if kind == "frontend":
            return SimpleNamespace(provider=SimpleNamespace(name=name, early=name.startswith("early")))
        if kind == "object_store":
            return SimpleNamespace(provider=SimpleNamespace(name=name))
        return self.real.get(kind, name, **where)

    def create(self, kind: str, ref: Any, context: Any = None, *, where: str = "") -> Any:
        if kind == "frontend":
            self.fronts.append(FakeFrontEnd(ref.type, self.events, self.errors.get(ref.type)))
            return self.fronts[-1]
        if kind == "object_store":
            return self.store
        return self.real.create(kind, ref, context, where=where)


@dataclass
class House:
    """A gateway and what surrounds it."""

    gateway: Gateway
    events: list[str]
    fronts: list[FakeFrontEnd]
    bucket: MemoryStore

    def sample(self, name: str, **labels: str) -> float | None:
        return self.gateway.registry.get_sample_value(name, labels)


@pytest.fixture(scope="module")
def real_plugins() -> PluginManager:
    return PluginManager.load((), None)


@pytest.fixture
def bucket() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def build(real_plugins: PluginManager, bucket: MemoryStore) -> Iterator[Callable[..., House]]:
    """`build("early", "late", wrap=..., errors={name: error}, **settings)`; gateways are stopped in the end."""
    built: list[Gateway] = []

    def make(*frontends: str, wrap: Any = None, errors: Mapping[str, Exception] | None = None, **given: Any) -> House:
        store = bucket if wrap is None else wrap(bucket)
        plugins: Any = Plugins(real_plugins, store, errors or {})
        settings = Settings.model_validate(
            {
                "object_store": {"type": "TEST"},
                "cache_index_header": False,
                "meta_filters": [],
                "frontends": [{"type": name} for name in frontends],
                **given,
            }
        )
        built.append(Gateway(settings, plugins))
        return House(built[-1], plugins.events, plugins.fronts, bucket)

    yield make
    for gateway in built:
        gateway.stop(0.0)
    gc.unfreeze()


@pytest.fixture
def side() -> Iterator[ThreadPoolExecutor]:
    """A thread beside the test's own."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


# --- building ---


def test_front_ends_are_opened_before_the_bucket(build: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK of a bucket may load the gRPC library, and rules for its TLS must be set before that."""
    kinds: list[str] = []
    create = Plugins.create

    def noting(self: Plugins, kind: str, *arguments: Any, **more: Any) -> Any:
        kinds.append(kind)
        return create(self, kind, *arguments, **more)

    monkeypatch.setattr(Plugins, "create", noting)
    build("early", "late")
    assert kinds[:2] == ["frontend", "frontend"]
    assert "object_store" in kinds


def test_building_reads_nothing_from_the_bucket(build: Callable[..., House]) -> None:
    build(wrap=lambda store: FaultyStore(store, Fault(error=UnavailableError("must not be asked"))))


def test_a_gateway_that_was_not_started_is_neither_healthy_nor_ready(build: Callable[..., House]) -> None:
    gateway = build().gateway
    assert (gateway.healthy, gateway.ready) == (False, False)


def test_an_unknown_filter_is_refused_with_its_place(build: Callable[..., House]) -> None:
    with pytest.raises(ConfigurationError, match=r"meta_filters\[0\]"):
        build(meta_filters=[{"type": "no-such-filter"}])


def test_two_gateways_share_no_metrics(build: Callable[..., House]) -> None:
    assert build().gateway.registry is not build().gateway.registry


# --- starting and stopping ---


def test_a_gateway_without_front_ends_becomes_ready(build: Callable[..., House]) -> None:
    gateway = build().gateway
    gateway.start()
    assert (gateway.healthy, gateway.ready) == (True, True)


def test_early_front_ends_start_first_whatever_their_place(build: Callable[..., House]) -> None:
    house = build("late1", "early1", "late2", "early2")
    house.gateway.start()
    assert house.events == ["start early1", "start early2", "start late1", "start late2"]


def test_late_front_ends_stop_first(build: Callable[..., House]) -> None:
    house = build("late", "early")
    house.gateway.start()
    house.events.clear()
    house.gateway.stop(0.0)
    assert house.events == ["stop late", "stop early"]


def test_late_front_ends_start_once_the_blocks_are_loaded(build: Callable[..., House], side: Any) -> None:
    holding: list[HoldingStore] = []

    def wrap(store: Any) -> Any:
        holding.append(HoldingStore(store, operation="list"))
        return holding[0]

    house = build("early", "late", wrap=wrap)
    starting = side.submit(house.gateway.start)
    assert holding[0].reached.wait(10)
    before = list(house.events)
    holding[0].release()
    starting.result(10)
    assert (before, house.events) == (["start early"], ["start early", "start late"])


def test_a_gateway_is_healthy_but_not_ready_while_it_loads(build: Callable[..., House], side: Any) -> None:
    holding: list[HoldingStore] = []

    def wrap(store: Any) -> Any:
        holding.append(HoldingStore(store, operation="list"))
        return holding[0]

    gateway = build(wrap=wrap).gateway
    starting = side.submit(gateway.start)
    assert holding[0].reached.wait(10)
    state = (gateway.healthy, gateway.ready)
    holding[0].release()
    starting.result(10)
    assert state == (True, False)


def test_stopping_closes_the_store(build: Callable[..., House]) -> None:
    house = build()
    house.gateway.start()
    house.gateway.stop(0.0)
    assert house.bucket.closed


def test_a_stopped_gateway_is_neither_healthy_nor_ready(build: Callable[..., House]) -> None:
    gateway = build().gateway
    gateway.start()
    gateway.stop(0.0)
    assert (gateway.healthy, gateway.ready) == (False, False)


def test_a_stopped_gateway_serves_no_blocks(build: Callable[..., House], bucket: MemoryStore) -> None:
    write_block(bucket, UP)
    house = build()
    house.gateway.start()
    house.gateway.stop(0.0)
    assert house.sample("thanos_bucket_store_blocks_loaded") == 0


@pytest.mark.parametrize("name", ["early", "late"])
def test_a_front_end_that_cannot_start_ends_the_gateway(build: Callable[..., House], name: str) -> None:
    house = build("early", "late", errors={name: ConfigurationError("the address is taken")})
    with pytest.raises(ConfigurationError, match="the address is taken"):
        house.gateway.start()
    assert house.bucket.closed
    assert not house.gateway.ready


def test_front_ends_see_the_gateway_that_they_serve(build: Callable[..., House]) -> None:
    house = build("late")
    house.gateway.start()
    assert house.fronts[0].gateway is house.gateway


def test_front_ends_are_told_how_long_calls_may_go_on(build: Callable[..., House]) -> None:
    house = build("late", "early")
    house.gateway.start()
    house.gateway.stop(7.0)
    assert [front.grace for front in house.fronts] == [7.0, 7.0]


def test_addresses_go_by_the_names_of_front_ends(build: Callable[..., House]) -> None:
    house = build("late", "early")
    assert house.gateway.addresses == {"early": "early:1", "late": "late:1"}


# --- an interrupted start ---


def test_a_start_that_is_interrupted_while_the_bucket_is_down_returns(build: Callable[..., House]) -> None:
    stopped = threading.Event()

    def interrupt() -> Exception:
        stopped.set()
        return UnavailableError("down")

    house = build("early", "late", wrap=lambda store: FaultyStore(store, Fault(operation="list", error=interrupt)))
    house.gateway.start(stopped)  # would try again in 10 s
    assert (house.gateway.ready, house.events) == (False, ["start early"])


def test_a_start_that_is_interrupted_in_a_sync_serves_nothing(
    build: Callable[..., House], bucket: MemoryStore, side: Any
) -> None:
    write_block(bucket, UP)
    holding: list[HoldingStore] = []

    def wrap(store: Any) -> Any:
        holding.append(HoldingStore(store, operation="list"))
        return holding[0]

    house, stopped = build("late", wrap=wrap), threading.Event()
    stopping = threading.Event()
    stop = house.gateway._syncer.stop
    house.gateway._syncer.stop = lambda *args: (stop(*args), stopping.set())[0]  # type: ignore[method-assign]
    starting = side.submit(house.gateway.start, stopped)
    assert holding[0].reached.wait(10)
    stopped.set()
    assert stopping.wait(10)
    holding[0].release()
    starting.result(10)
    assert (house.gateway.ready, house.events) == (False, [])
    assert house.sample("thanos_bucket_store_blocks_loaded") == 0


def test_an_interrupted_gateway_can_be_stopped(build: Callable[..., House]) -> None:
    stopped = threading.Event()
    stopped.set()
    faulty = Fault(operation="list", error=UnavailableError("down"))
    house = build("early", wrap=lambda store: FaultyStore(store, faulty))
    house.gateway.start(stopped)
    house.gateway.stop(0.0)
    assert house.bucket.closed


def test_a_signal_after_the_start_is_left_to_the_caller(build: Callable[..., House]) -> None:
    gateway, stopped = build().gateway, threading.Event()
    gateway.start(stopped)
    stopped.set()
    assert gateway.ready


# --- readiness ---


def test_readiness_is_told_when_it_changes(build: Callable[..., House]) -> None:
    gateway, told = build().gateway, []
    gateway.on_ready_change(told.append)
    gateway.start()
    gateway.stop(0.0)
    assert told == [True, False]


def test_every_listener_hears_of_readiness(build: Callable[..., House]) -> None:
    gateway, told = build().gateway, []
    for name in "ab":
        gateway.on_ready_change(lambda ready, name=name: told.append((name, ready)))  # type: ignore[misc]
    gateway.start()
    assert told == [("a", True), ("b", True)]


def test_a_second_stop_tells_nobody(build: Callable[..., House]) -> None:
    gateway, told = build().gateway, []
    gateway.start()
    gateway.stop(0.0)
    gateway.on_ready_change(told.append)
    gateway.stop(0.0)
    assert told == []


def test_readiness_goes_before_front_ends_stop(build: Callable[..., House]) -> None:
    house = build("late")
    house.gateway.start()
    house.gateway.on_ready_change(lambda ready: house.events.append(f"ready {ready}"))
    house.gateway.stop(0.0)
    assert house.events == ["start late", "ready False", "stop late"]


def test_readiness_comes_after_front_ends_started(build: Callable[..., House]) -> None:
    house = build("late")
    house.gateway.on_ready_change(lambda ready: house.events.append(f"ready {ready}"))
    house.gateway.start()
    assert house.events == ["start late", "ready True"]


@pytest.mark.parametrize("check", ["ready", "healthy"])
def test_the_state_shows_in_metrics(build: Callable[..., House], check: str) -> None:
    house = build()
    house.gateway.start()
    on = house.sample("thanos_status", check=check, component="store")
    house.gateway.stop(0.0)
    assert (on, house.sample("thanos_status", check=check, component="store")) == (1, 0)


# --- what is served ---


def test_an_empty_bucket_has_a_time_range_that_nothing_matches(build: Callable[..., House]) -> None:
    house = build()
    house.gateway.start()
    info = house.gateway.info()
    assert (info.min_time, info.max_time) == (2**63 - 1, -(2**63))
    assert (info.label_sets, info.tsdb_infos) == ((), ())


def test_info_shows_the_labels_and_times_of_blocks(build: Callable[..., House], bucket: MemoryStore) -> None:
    write_block(bucket, UP, external_labels={"region": "eu"})
    house = build()
    house.gateway.start()
    info = house.gateway.info()
    assert (info.label_sets, info.min_time, info.max_time) == (((("region", "eu"),),), 1000, 2001)
    assert [(one.labels, one.min_time, one.max_time) for one in info.tsdb_infos] == [((("region", "eu"),), 1000, 2001)]


def test_the_settings_cut_the_time_range_of_info(build: Callable[..., House], bucket: MemoryStore) -> None:
    write_block(bucket, UP)
    house = build(time={"min_time": "1970-01-01T00:00:01.5Z", "max_time": "1970-01-01T00:00:01.8Z"})
    house.gateway.start()
    info = house.gateway.info()
    assert (info.min_time, info.max_time) == (1500, 1800)


def test_the_stretches_of_time_in_info_are_not_cut(build: Callable[..., House], bucket: MemoryStore) -> None:
    write_block(bucket, UP)
    house = build(time={"min_time": "1970-01-01T00:00:01.5Z", "max_time": "1970-01-01T00:00:01.8Z"})
    house.gateway.start()
    (covered,) = house.gateway.info().tsdb_infos
    assert (covered.min_time, covered.max_time) == (1000, 2001)


def test_series_are_served(build: Callable[..., House], bucket: MemoryStore) -> None:
    write_block(bucket, UP)
    house = build()
    house.gateway.start()
    request = SeriesRequest(min_time=0, max_time=9999, matchers=(LabelMatcher(0, "job", "a"),))
    stream = house.gateway.series(request, Call())
    assert sum(map(len, stream)) == 1
    stream.close()


def test_label_names_are_served(build: Callable[..., House], bucket: MemoryStore) -> None:
    write_block(bucket, UP)
    house = build()
    house.gateway.start()
    assert house.gateway.label_names(LabelNamesRequest(start=0, end=9999), Call()).values == ["__name__", "job"]


def test_label_values_are_served(build: Callable[..., House], bucket: MemoryStore) -> None:
    write_block(bucket, UP)
    house = build()
    house.gateway.start()
    request = LabelValuesRequest(label="job", start=0, end=9999)
    assert house.gateway.label_values(request, Call()).values == ["a"]


def test_only_what_lies_under_the_prefix_is_served(build: Callable[..., House], bucket: MemoryStore) -> None:
    class Below:
        def put(self, key: str, data: bytes) -> None:
            bucket.put(f"team/a/{key}", data)

    ulid = write_block(Below(), UP).ulid
    write_block(bucket, UP)
    house = build(object_store={"type": "TEST", "prefix": "/team/a/"})
    house.gateway.start()
    assert [block.ulid for block in house.gateway.blocks()] == [ulid]


# --- what became of blocks ---


def states(house: House) -> dict[str, str]:
    return {block.ulid: block.state for block in house.gateway.blocks()}


def test_blocks_are_none_before_the_start(build: Callable[..., House], bucket: MemoryStore) -> None:
    write_block(bucket, UP)
    assert build().gateway.blocks() == []


def test_a_served_block_is_loaded(build: Callable[..., House], bucket: MemoryStore) -> None:
    ulid = write_block(bucket, UP).ulid
    house = build()
    house.gateway.start()
    assert states(house) == {ulid: "loaded"}


def test_a_block_with_a_broken_index_is_quarantined_with_the_cause(
    build: Callable[..., House], bucket: MemoryStore
) -> None:
    ulid = write_block(bucket, UP).ulid
    bucket.put(f"{ulid}/index", b"no index" * 100)
    house = build()
    house.gateway.start()
    (block,) = house.gateway.blocks()
    assert (block.state, f"{ulid}/index" in block.reason) == ("quarantined", True)


def test_a_block_whose_meta_cannot_be_read_is_unreadable(build: Callable[..., House], bucket: MemoryStore) -> None:
    ulid = write_block(bucket, UP).ulid
    bucket.put(f"{ulid}/meta.json", b"{")
    house = build()
    house.gateway.start()
    assert states(house) == {ulid: "unreadable"}


def test_a_block_that_a_filter_leaves_out_names_the_filter(build: Callable[..., House], bucket: MemoryStore) -> None:
    write_block(bucket, UP)
    house = build(meta_filters=[{"type": "time-partition", "config": {"min_time": "2020-01-01T00:00:00Z"}}])
    house.gateway.start()
    (block,) = house.gateway.blocks()
    assert (block.state, block.reason) == ("filtered", "time-excluded (time-partition)")
    assert (block.filtered_by, block.meta and block.meta.max_time) == ("time-partition", 2001)


def test_one_bad_block_harms_no_other(build: Callable[..., House], bucket: MemoryStore) -> None:
    good, bad = write_block(bucket, UP, seed=1).ulid, write_block(bucket, UP, seed=2).ulid
    bucket.put(f"{bad}/index", b"no index" * 100)
    house = build()
    house.gateway.start()
    assert states(house) == {good: "loaded", bad: "quarantined"}


def test_a_block_tells_its_marks_and_its_size(build: Callable[..., House], bucket: MemoryStore) -> None:
    written = write_block(bucket, UP)
    house = build()
    for action in ("DELETION", "NO_COMPACTION"):
        house.gateway.mark_block(written.ulid, action, "too old")
    house.gateway.start()
    (block,) = house.gateway.blocks()
    assert block.deletion is not None
    assert (block.state, block.deletion.details, block.no_compact) == ("loaded", "too old", True)
    assert block.size > sum(written.sizes.values())


def test_a_block_that_is_being_loaded_is_seen(build: Callable[..., House], bucket: MemoryStore) -> None:
    ulid = write_block(bucket, UP).ulid
    house = build()
    seen: list[dict[str, str]] = []
    get = bucket.get_range

    def looking_get(key: str, *arguments: Any) -> Any:
        if key.endswith("/index"):
            seen.append(states(house))
        return get(key, *arguments)

    bucket.get_range = looking_get  # type: ignore[method-assign]
    house.gateway.start()
    assert {ulid: "loading"} in seen
    assert states(house) == {ulid: "loaded"}


def test_blocks_come_by_their_ids(build: Callable[..., House], bucket: MemoryStore) -> None:
    ulids = [write_block(bucket, UP, seed=seed).ulid for seed in range(4)]
    house = build()
    house.gateway.start()
    assert [block.ulid for block in house.gateway.blocks()] == sorted(ulids)


def test_a_bucket_that_lost_an_object_of_a_block_still_serves_the_rest(
    build: Callable[..., House], bucket: MemoryStore
) -> None:
    good, gone = write_block(bucket, UP, seed=1).ulid, write_block(bucket, UP, seed=2).ulid
    fault = Fault(key=f"{gone}/index", error=NotFoundError("gone"))
    house = build(wrap=lambda store: FaultyStore(store, fault))
    house.gateway.start()
    assert states(house)[good] == "loaded"
