"""Protection of queries from caches: dead, slow, wrong and full ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from storegate.cache.envelope import seal
from storegate.cache.guard import GuardedCache, guarded, is_local
from storegate.errors import (
    CancelledError,
    DeadlineError,
    DeniedError,
    InvalidRequestError,
    StoregateError,
    UnavailableError,
)
from storegate.query.call import Call, working_for
from storegate.testing.cache_faults import FaultyCache
from storegate.types import BreakerLimits, Cache, CacheLimits

LONG = 600.0
PATIENCE = 10.0
QUICK = CacheLimits(timeout=0.2)
PATIENT = CacheLimits(timeout=PATIENCE)


class TwoServers:
    """A cache over two servers: keys that begin with `a` belong to the first."""

    def __init__(self, limits: CacheLimits) -> None:
        self.limits = limits
        self.a, self.b = FaultyCache(name="a"), FaultyCache(name="b")

    def servers(self, keys: Sequence[str]) -> list[tuple[FaultyCache, list[str]]]:
        split = {server: [key for key in keys if key.startswith(server.name)] for server in (self.a, self.b)}
        return [(server, its_keys) for server, its_keys in split.items() if its_keys]

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        raise AssertionError("the servers are asked one by one")

    def set_many(self, items: Mapping[str, bytes], ttl: float) -> None:
        raise AssertionError("the servers are asked one by one")

    def close(self) -> None:
        """Nothing to give back."""


Guard = Callable[[Cache], GuardedCache]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def guard(registry: CollectorRegistry) -> Iterator[Guard]:
    made: list[GuardedCache] = []

    def make(cache: Cache) -> GuardedCache:
        made.append(GuardedCache(cache, name="test", registry=registry))
        return made[-1]

    yield make
    for each in made:
        each.close()


def stored(cache: FaultyCache, **values: bytes) -> FaultyCache:
    cache.values |= {key: seal(key, value) for key, value in values.items()}
    return cache


def metric(registry: CollectorRegistry, name: str, **labels: str) -> float:
    value = registry.get_sample_value(f"storegate_cache_{name}", {"name": "test", **labels})
    assert value is not None, name
    return value


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def takes_a_write(subject: GuardedCache, registry: CollectorRegistry) -> bool:
    before = metric(registry, "queued_items")
    subject.set_many({"another": b"1"}, LONG)
    return metric(registry, "queued_items") > before


# --- which caches ---


def test_a_local_cache_is_called_directly(registry: CollectorRegistry) -> None:
    cache = FaultyCache()
    cache.local = True  # type: ignore[attr-defined]
    assert is_local(cache)
    assert guarded(cache, name="test", registry=registry) is cache


def test_any_other_cache_is_guarded(registry: CollectorRegistry) -> None:
    cache = guarded(FaultyCache(), name="test", registry=registry)
    assert isinstance(cache, GuardedCache)
    assert not is_local(cache)
    cache.close()


# --- reads ---


def test_values_come_back(guard: Guard) -> None:
    assert guard(stored(FaultyCache(PATIENT), a=b"1", b=b"2")).get_many(["a", "x", "b"]) == {"a": b"1", "b": b"2"}


def test_keys_are_asked_for_in_batches(guard: Guard) -> None:
    cache = stored(FaultyCache(CacheLimits(timeout=PATIENCE, get_batch_size=2)), a=b"1", e=b"2")
    assert guard(cache).get_many(list("abcde")) == {"a": b"1", "e": b"2"}
    assert sorted(cache.reads) == [("a", "b"), ("c", "d"), ("e",)]


def test_no_more_reads_run_at_once_than_the_limit(guard: Guard, registry: CollectorRegistry) -> None:
    cache = stored(FaultyCache(CacheLimits(timeout=PATIENCE, get_batch_size=1, get_concurrency=2)), a=b"1", d=b"2")
    subject, found = guard(cache), {}
    with cache.held():
        reader = threading.Thread(target=lambda: found.update(subject.get_many(list("abcd"))))
        reader.start()
        cache.wait_for_call()
        cache.wait_for_call()
        assert metric(registry, "getmulti_gate_gets_in_flight") == 2
        assert len(cache.reads) == 2
    reader.join(PATIENCE)
    assert found == {"a": b"1", "d": b"2"}
    assert metric(registry, "getmulti_gate_gets_total") == 4


def test_a_slow_cache_costs_its_deadline_once(guard: Guard, registry: CollectorRegistry) -> None:
    cache = stored(FaultyCache(QUICK), a=b"1")
    subject = guard(cache)
    with cache.held():
        started = time.perf_counter()
        assert subject.get_many(["a"]) == {}
        first = time.perf_counter() - started
        started = time.perf_counter()
        for _ in range(100):
            assert subject.get_many(["a"]) == {}
        rest = time.perf_counter() - started
    assert first >= QUICK.timeout
    assert rest < QUICK.timeout
    assert metric(registry, "operation_failures_total", operation="getmulti", reason="timeout") == 1
    assert metric(registry, "operation_skipped_total", operation="getmulti", reason="circuit-open") == 100


def test_what_came_in_time_is_used(guard: Guard) -> None:
    cache = TwoServers(QUICK)
    stored(cache.a, a1=b"1")
    stored(cache.b, b1=b"2")
    with cache.a.held():
        assert guard(cache).get_many(["a1", "b1"]) == {"b1": b"2"}


def test_a_dead_server_of_two_is_stepped_over_alone(guard: Guard, registry: CollectorRegistry) -> None:
    cache = TwoServers(PATIENT)
    stored(cache.b, b1=b"2")
    cache.a.error = UnavailableError("connection refused")
    subject = guard(cache)
    for _ in range(5):
        assert subject.get_many(["a1", "b1"]) == {"b1": b"2"}
    assert len(cache.a.reads) == 1
    assert len(cache.b.reads) == 5
    assert metric(registry, "servers_stepped_over") == 1


def test_nobody_waits_for_the_trial_that_brings_it_back(guard: Guard) -> None:
    cache = stored(FaultyCache(PATIENT), a=b"1")
    subject = guard(cache)
    cache.error = UnavailableError("down")
    subject.get_many(["a"])
    cache.error = None
    with cache.held():
        eventually(lambda: subject.get_many(["a"]) == {} and len(cache.reads) == 2)
        cache.wait_for_call()
        assert subject.get_many(["a"]) == {}
    eventually(lambda: subject.get_many(["a"]) == {"a": b"1"})


def test_a_trial_that_is_too_slow_does_not_bring_it_back(guard: Guard) -> None:
    cache = stored(FaultyCache(QUICK), a=b"1")
    subject = guard(cache)
    cache.error = UnavailableError("down")
    subject.get_many(["a"])
    cache.error = None
    with cache.held():
        eventually(lambda: subject.get_many(["a"]) == {} and len(cache.reads) == 2)
        cache.wait_for_call()
        time.sleep(2 * QUICK.timeout)
    reads = len(cache.reads)
    assert subject.get_many(["a"]) == {}
    assert len(cache.reads) == reads


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "timeout"),
        (ConnectionResetError(), "network-error"),
        (UnavailableError("x"), "network-error"),
        (DeniedError("x"), "server-error"),
        (StoregateError("x"), "server-error"),
        (InvalidRequestError("x"), "malformed-key"),
        (RuntimeError("x"), "other"),
        (SystemExit(), "other"),
    ],
)
def test_an_error_is_a_miss_that_is_counted_by_its_reason(
    guard: Guard, registry: CollectorRegistry, error: BaseException, reason: str
) -> None:
    cache = FaultyCache(PATIENT)
    cache.error = error
    assert guard(cache).get_many(["a"]) == {}
    assert metric(registry, "operation_failures_total", operation="getmulti", reason=reason) == 1


def test_a_cache_that_cannot_route_keys_is_a_miss(guard: Guard) -> None:
    cache = TwoServers(PATIENT)
    cache.servers = lambda keys: 1 // 0  # type: ignore[assignment, return-value]
    subject = guard(cache)
    assert subject.get_many(["a"]) == {}
    subject.set_many({"a": b"1"}, LONG)
    assert subject.flush(PATIENCE)


@pytest.mark.parametrize("answer", [None, {"a": None}, {"a": "text"}, ["a"], 7])
def test_an_answer_of_the_wrong_type_is_a_miss(guard: Guard, answer: object) -> None:
    cache = FaultyCache(PATIENT)
    cache.get_many = lambda keys: answer  # type: ignore[assignment, return-value]
    assert guard(cache).get_many(["a"]) == {}


def test_a_value_that_was_not_asked_for_is_left_out(guard: Guard) -> None:
    cache = stored(FaultyCache(PATIENT), a=b"1", b=b"2")
    answer = dict(cache.values)
    cache.get_many = lambda keys: answer  # type: ignore[assignment]
    assert guard(cache).get_many(["a"]) == {"a": b"1"}


def test_wrong_values_are_counted_and_logged_once(guard: Guard, registry: CollectorRegistry) -> None:
    cache = stored(FaultyCache(PATIENT), a=b"1", b=b"2", c=b"3")
    cache.values["b"] = cache.values["b"][:-1]
    cache.values["c"] = cache.values["a"]
    subject = guard(cache)
    with capture_logs() as lines:
        for _ in range(3):
            assert subject.get_many(["a", "b", "c"]) == {"a": b"1"}
    assert metric(registry, "wrong_values_total", reason="damaged") == 3
    assert metric(registry, "wrong_values_total", reason="key") == 3
    assert len(lines) == 1


def test_failing_and_answering_again_are_one_line_each(guard: Guard) -> None:
    cache = stored(FaultyCache(PATIENT), a=b"1")
    subject = guard(cache)
    with capture_logs() as lines:
        cache.error = UnavailableError("connection refused")
        for _ in range(3):
            subject.get_many(["a"])
        cache.error = None
        eventually(lambda: subject.get_many(["a"]) == {"a": b"1"})
    assert [line["log_level"] for line in lines] == ["warning", "info"]
    assert lines[0]["err"] == "connection refused"


def test_requests_and_hits_are_counted(guard: Guard, registry: CollectorRegistry) -> None:
    guard(stored(FaultyCache(PATIENT), a=b"1")).get_many(["a", "b", "c"])
    assert metric(registry, "requests_total") == 3
    assert metric(registry, "hits_total") == 1
    assert metric(registry, "operations_total", operation="getmulti") == 1
    assert metric(registry, "operation_data_size_bytes_sum", operation="getmulti") == len(seal("a", b"1"))


def test_a_kind_that_thanos_knows_has_its_names(registry: CollectorRegistry) -> None:
    cache = GuardedCache(FaultyCache(CacheLimits(metrics="memcached")), name="index-cache", registry=registry)
    cache.close()
    for name in ("thanos_memcached_operations_total", "thanos_memcached_operation_duration_seconds_count"):
        assert registry.get_sample_value(name, {"name": "index-cache", "operation": "getmulti"}) == 0
    assert registry.get_sample_value("thanos_cache_memcached_requests_total", {"name": "index-cache"}) == 0


def test_two_guarded_caches_share_a_registry(registry: CollectorRegistry) -> None:
    for name in ("index-cache", "caching-bucket"):
        cache = GuardedCache(FaultyCache(), name=name, registry=registry)
        cache.get_many(["a"])
        cache.close()
        assert registry.get_sample_value("storegate_cache_requests_total", {"name": name}) == 1


# --- requests that end before the cache answers ---


def test_a_request_that_is_cancelled_waits_no_longer(guard: Guard) -> None:
    cache = FaultyCache(PATIENT)
    subject, call, raised = guard(cache), Call(), []

    def query() -> None:
        with working_for(call), pytest.raises(CancelledError) as caught:
            subject.get_many(["a"])
        raised.append(caught.value)

    with cache.held():
        thread = threading.Thread(target=query)
        thread.start()
        cache.wait_for_call()
        call.cancel()
        thread.join(PATIENCE)
    assert len(raised) == 1


def test_a_request_whose_deadline_is_near_does_not_close_the_server(guard: Guard, registry: CollectorRegistry) -> None:
    cache = stored(FaultyCache(PATIENT), a=b"1")
    subject = guard(cache)
    with cache.held(), working_for(Call(deadline=time.monotonic() + 0.02)), pytest.raises(DeadlineError):
        subject.get_many(["a"])
    assert subject.get_many(["a"]) == {"a": b"1"}
    eventually(lambda: metric(registry, "operations_total", operation="getmulti") == 2)
    assert metric(registry, "servers_stepped_over") == 0


def test_the_server_is_judged_when_the_call_ends_that_such_a_request_began(
    guard: Guard, registry: CollectorRegistry
) -> None:
    cache = stored(FaultyCache(PATIENT), a=b"1")
    subject = guard(cache)
    cache.error = UnavailableError("down")
    with cache.held(), working_for(Call(deadline=time.monotonic() + 0.02)), pytest.raises(DeadlineError):
        subject.get_many(["a"])
    eventually(lambda: metric(registry, "servers_stepped_over") == 1)


# --- writes ---


def test_a_write_does_not_wait_for_the_cache(guard: Guard) -> None:
    cache = FaultyCache(PATIENT)
    subject = guard(cache)
    with cache.held():
        subject.set_many({"a": b"1"}, LONG)
        cache.wait_for_call()
        assert cache.values == {}
    assert subject.flush(PATIENCE)
    assert subject.get_many(["a"]) == {"a": b"1"}


def test_flush_tells_when_time_is_up(guard: Guard) -> None:
    cache = FaultyCache(PATIENT)
    subject = guard(cache)
    with cache.held():
        subject.set_many({"a": b"1"}, LONG)
        assert not subject.flush(0.01)


def test_what_the_queue_has_no_room_for_is_dropped_and_counted(guard: Guard, registry: CollectorRegistry) -> None:
    cache = FaultyCache(CacheLimits(set_queue=5, set_concurrency=1))
    subject = guard(cache)
    with cache.held():
        for i in range(4):
            subject.set_many({f"{i}-{n}": b"x" for n in range(2)}, LONG)
        assert metric(registry, "queued_items") == 5
    assert subject.flush(PATIENCE)
    assert len(cache.values) == 5
    assert metric(registry, "operation_skipped_total", operation="set", reason="async-buffer-full") == 3
    assert metric(registry, "queued_items") == 0


def test_the_queue_is_bounded_by_bytes_too(
    guard: Guard, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storegate.cache.write_queue.MOST_QUEUED_BYTES", 1000)
    cache = FaultyCache(CacheLimits(set_concurrency=1))
    subject = guard(cache)
    with cache.held():
        subject.set_many({"a": b"x" * 900}, LONG)
        subject.set_many({"b": b"x" * 101}, LONG)
        subject.set_many({"c": b"x" * 100}, LONG)
    assert subject.flush(PATIENCE)
    assert set(cache.values) == {"a", "c"}
    assert metric(registry, "operation_skipped_total", operation="set", reason="async-buffer-full") == 1


def test_no_more_writes_run_at_once_than_the_limit(guard: Guard) -> None:
    cache = FaultyCache(CacheLimits(set_concurrency=2, set_batch_size=1))
    subject = guard(cache)
    with cache.held():
        subject.set_many({str(i): b"x" for i in range(6)}, LONG)
        cache.wait_for_call()
        cache.wait_for_call()
        assert len(cache.writes) == 2
    assert subject.flush(PATIENCE)
    assert len(cache.values) == 6


def test_values_above_the_item_limit_are_left_out_and_counted(guard: Guard, registry: CollectorRegistry) -> None:
    cache = FaultyCache(CacheLimits(max_item_size=100))
    subject = guard(cache)
    subject.set_many({"a": bytes(range(100)), "b": b"1", "shrinks": b"x" * 5000}, LONG)
    assert subject.flush(PATIENCE)
    assert set(cache.values) == {"b", "shrinks"}
    assert metric(registry, "operation_skipped_total", operation="set", reason="max-item-size") == 1


def test_the_lifetime_reaches_the_cache(guard: Guard) -> None:
    cache = FaultyCache()
    subject = guard(cache)
    subject.set_many({"a": b"1"}, 100.0)
    assert subject.flush(PATIENCE)
    assert 90 < cache.lifetimes["a"] <= 100


@pytest.mark.parametrize("ttl", [0.0, -1.0])
def test_values_without_a_lifetime_are_not_stored(guard: Guard, ttl: float) -> None:
    cache = FaultyCache()
    subject = guard(cache)
    subject.set_many({"a": b"1"}, ttl)
    assert subject.flush(PATIENCE)
    assert cache.writes == []


def test_a_failing_write_is_counted_and_logged_once(guard: Guard, registry: CollectorRegistry) -> None:
    cache = FaultyCache(CacheLimits(set_concurrency=1))
    cache.error = UnavailableError("read only")
    subject = guard(cache)
    with capture_logs() as lines:
        for i in range(5):
            subject.set_many({str(i): b"x"}, LONG)
        assert subject.flush(PATIENCE)
    assert metric(registry, "operation_failures_total", operation="set", reason="network-error") == 5
    assert [line["log_level"] for line in lines] == ["warning"]


def test_writes_to_a_server_that_is_stepped_over_are_left_out(guard: Guard, registry: CollectorRegistry) -> None:
    cache = FaultyCache(PATIENT)
    cache.error = UnavailableError("down")
    subject = guard(cache)
    subject.get_many(["a"])
    subject.set_many({"a": b"1"}, LONG)
    assert subject.flush(PATIENCE)
    assert cache.writes == []
    assert metric(registry, "operation_skipped_total", operation="set", reason="circuit-open") == 1


def test_the_breaker_of_writes_steps_over_them_when_it_is_enabled(guard: Guard) -> None:
    breaker = BreakerLimits(min_requests=3, consecutive_failures=3)
    cache = FaultyCache(CacheLimits(set_concurrency=1, set_breaker=breaker))
    cache.error = UnavailableError("read only")
    subject = guard(cache)
    for i in range(10):
        subject.set_many({str(i): b"x"}, LONG)
    assert subject.flush(PATIENCE)
    assert len(cache.writes) == 3


def test_without_it_every_write_is_tried(guard: Guard) -> None:
    cache = FaultyCache(CacheLimits(set_concurrency=1))
    cache.error = UnavailableError("read only")
    subject = guard(cache)
    for i in range(100):
        subject.set_many({str(i): b"x"}, LONG)
    assert subject.flush(PATIENCE)
    assert len(cache.writes) == 100


# --- the end ---


def test_close_closes_the_cache_and_drops_what_waits(registry: CollectorRegistry) -> None:
    cache = FaultyCache(CacheLimits(set_concurrency=1))
    subject = GuardedCache(cache, name="test", registry=registry)
    with cache.held():
        subject.set_many({"a": b"1"}, LONG)
        cache.wait_for_call()
        subject.set_many({"b": b"1"}, LONG)
        closing = threading.Thread(target=subject.close)
        closing.start()
        eventually(lambda: not takes_a_write(subject, registry))
    closing.join(PATIENCE)
    assert cache.closed
    assert set(cache.values) == {"a"}


def test_close_does_not_wait_for_a_cache_that_hangs(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storegate.cache.guard.CLOSE_SECONDS", 0.01)
    cache = FaultyCache(QUICK)
    cache.close = threading.Event().wait  # type: ignore[method-assign, assignment]
    subject = GuardedCache(cache, name="test", registry=registry)
    with cache.held():
        subject.get_many(["a"])
        started = time.perf_counter()
        subject.close()
        assert time.perf_counter() - started < 1


def test_an_error_of_close_is_logged(registry: CollectorRegistry) -> None:
    cache = FaultyCache()
    cache.close = lambda: 1 // 0  # type: ignore[method-assign, assignment, return-value]
    with capture_logs() as lines:
        GuardedCache(cache, name="test", registry=registry).close()
    assert [line["log_level"] for line in lines] == ["warning"]
