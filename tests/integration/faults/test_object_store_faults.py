"""Faults between a gateway and its bucket: the real command, a real SDK, a real server, and a proxy between them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from storegate.testing.flaky_proxy import FlakyProxy, HttpFault

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
STORM: dict[str, Any] = {"status": 503, "headers": {"Retry-After": "1"}, "body": SLOW_DOWN}
CHUNKS = "*/chunks/*"
WAIT = 30.0


def retries(gateway: Any, reason: str) -> float:
    count: float = gateway.metric("storegate_objstore_retries_total", reason=reason)
    return count


def eventually(condition: Callable[[], bool], seconds: float = WAIT) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_storm_of_503_is_sat_out(gateway: Any, expected: Any) -> None:
    before = retries(gateway, "throttled")
    gateway.proxy.add(HttpFault(path=CHUNKS, times=4, **STORM))
    assert gateway.series() == expected
    assert retries(gateway, "throttled") - before == 4


def test_the_time_that_the_store_asks_for_is_waited(gateway: Any, expected: Any) -> None:
    gateway.proxy.add(HttpFault(path=CHUNKS, times=1, **STORM))
    started = time.monotonic()
    assert gateway.series() == expected
    assert time.monotonic() - started >= 1.0


def test_a_storm_without_an_end_fails_the_query_within_its_deadline(gateway: Any) -> None:
    gateway.proxy.add(HttpFault(path=CHUNKS, **STORM))
    code, _, seconds = gateway.failure(timeout=2.0)
    assert code in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert seconds < 3.0


def test_the_slow_down_ends_with_the_storm(gateway: Any, expected: Any) -> None:
    gateway.proxy.add(HttpFault(path=CHUNKS, times=8, **(STORM | {"headers": {}})))
    assert gateway.series() == expected
    eventually(lambda: gateway.series() == expected and gateway.metric("storegate_objstore_throttled_concurrency") == 0)


@pytest.mark.parametrize("after", [0, 1, 4000])
def test_a_connection_reset_in_the_middle_of_a_body_harms_no_answer(gateway: Any, expected: Any, after: int) -> None:
    gateway.proxy.add(HttpFault(method="GET", times=3, cut_after=after))
    assert gateway.series() == expected


def test_a_stalled_read_is_given_up_and_done_again(gateway: Any, expected: Any) -> None:
    gateway.proxy.add(HttpFault(path=CHUNKS, times=2, stall_after=100))
    assert gateway.series() == expected


def test_no_thread_is_lost_to_stalled_reads(gateway: Any, expected: Any) -> None:
    gateway.proxy.add(HttpFault(path=CHUNKS, stall_after=100))
    with ThreadPoolExecutor(30) as pool:  # more queries than the gateway runs at once
        codes = {code for code, _, _ in pool.map(lambda _: gateway.failure(timeout=0.5), range(100))}
    assert codes == {grpc.StatusCode.DEADLINE_EXCEEDED}
    gateway.proxy.clear()
    gateway.proxy.release()
    assert gateway.series() == expected


def test_a_server_that_is_killed_and_restarted_under_load_costs_time_only(gateway: Any, expected: Any) -> None:
    over = threading.Event()

    def load(_: int) -> list[bool]:
        answers = []
        while not over.is_set():
            answers.append(gateway.series() == expected)
        return answers

    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load, number) for number in range(4)]
        for _ in range(2):
            over.wait(0.3)
            gateway.proxy.kill()
            over.wait(0.5)
            gateway.proxy.resume()
        over.wait(0.5)
        over.set()
        answers = [answer for done in loads for answer in done.result(60)]
    assert len(answers) >= 4
    assert all(answers)


def test_blocks_are_found_though_pages_of_the_listing_fail(
    start_faulty: Callable[..., Any], s3_server: Any, expected: Any
) -> None:
    with FlakyProxy(s3_server.address) as proxy:
        proxy.add(HttpFault(path="*list-type*", times=2, status=500))
        proxy.add(HttpFault(path="*meta.json", times=3, cut_after=20))
        with start_faulty(proxy=proxy) as faulty:
            assert faulty.series() == expected
            assert "tried again" not in faulty.store.logged()


def test_a_slow_read_is_answered_by_a_second_request(start_faulty: Callable[..., Any], expected: Any) -> None:
    hedging = {"enabled": True, "up_to": 2, "quantile": 0.95}
    with start_faulty(hedging_config=hedging) as faulty:
        while faulty.metric("thanos_objstore_bucket_operations_total", operation="get_range") < 150:
            assert faulty.series() == expected
        faulty.proxy.add(HttpFault(path=CHUNKS, times=1, delay=20.0))
        assert faulty.series(timeout=60.0) == expected
        assert faulty.metric("storegate_objstore_hedged_requests_won_total") >= 1
        assert retries(faulty, "unavailable") == 0  # it was not the time-out that helped


# --- a gateway that tries three times ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def impatient(start_faulty: Callable[..., Any]) -> Iterator[Any]:
    with start_faulty(config={"max_retries": 3}) as faulty:
        yield faulty


def test_connections_that_are_always_reset_fail_the_query_and_name_the_block(impatient: Any) -> None:
    impatient.proxy.add(HttpFault(path=CHUNKS, cut_after=100))
    code, text, seconds = impatient.failure(timeout=WAIT)
    assert code is grpc.StatusCode.UNKNOWN
    assert text.startswith("receive series from 0")
    assert "3 attempts" in text
    assert seconds < WAIT


def test_a_dead_server_fails_queries_with_its_cause(impatient: Any) -> None:
    impatient.proxy.kill()
    code, text, seconds = impatient.failure(timeout=WAIT)
    assert code in (grpc.StatusCode.ABORTED, grpc.StatusCode.UNKNOWN)
    assert "cannot reach" in text
    assert seconds < WAIT


# --- a gateway that waits long for its bucket -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def patient(start_faulty: Callable[..., Any]) -> Iterator[Any]:
    with start_faulty(config={"http_config": {"response_header_timeout": "50s"}}) as faulty:
        yield faulty


@pytest.mark.parametrize("path", ["*/index", CHUNKS])
def test_a_stalled_read_does_not_hold_a_query_past_its_deadline(patient: Any, expected: Any, path: str) -> None:
    patient.proxy.add(HttpFault(path=path, stall_after=100))
    code, _, seconds = patient.failure(timeout=0.5)
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert seconds < 1.5
    eventually(lambda: patient.metric("thanos_bucket_store_series_gate_queries_in_flight") == 0, seconds=10.0)
    patient.proxy.clear()
    assert patient.series() == expected


def test_a_stalled_read_does_not_hold_up_the_end_of_the_process(patient: Any) -> None:
    patient.proxy.add(HttpFault(path=CHUNKS, stall_after=100))
    patient.failure(timeout=0.5)
    assert patient.proxy.stalled.is_set()
    started = time.monotonic()
    assert patient.store.stop() == 0
    assert time.monotonic() - started < 10.0


def test_a_bucket_that_does_not_answer_does_not_hold_up_the_end_of_a_gateway_that_starts(
    start_faulty: Callable[..., Any], s3_server: Any
) -> None:
    with FlakyProxy(s3_server.address) as proxy:
        proxy.add(HttpFault(stall_after=0))
        settings = {"http_config": {"response_header_timeout": "50s"}}
        with start_faulty(proxy=proxy, config=settings, ready=False) as faulty:
            assert proxy.stalled.wait(WAIT)
            started = time.monotonic()
            assert faulty.store.stop() == 0
            assert time.monotonic() - started < 10.0
