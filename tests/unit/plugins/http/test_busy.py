"""Probes and short pages while everything else is busy."""

from __future__ import annotations

import json
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from storegate.block.meta import parse_meta
from storegate.block.status import ChosenBlocks

from .conftest import WAIT
from .test_blocks_json import ULID, WHOLE

ASKERS = 6


def test_probes_answer_while_long_lists_and_profiles_are_made(served):
    meta = parse_meta(json.dumps(WHOLE).encode(), ULID)
    served.gateway.blocks = ChosenBlocks(metas=(meta,) * 1000, quarantined={}, refreshed=1, error="")
    stop = threading.Event()

    def ask_for_much(number):
        path = "/debug/fgprof?seconds=0.2" if number == 0 else "/api/v1/blocks?view=loaded"
        answers = 0
        while not stop.is_set():
            assert served.ask(path, headers={"Accept-Encoding": "gzip"})[0] == 200
            answers += 1
        return answers

    spent = []
    with ThreadPoolExecutor(ASKERS) as pool:
        asking = [pool.submit(ask_for_much, number) for number in range(ASKERS)]
        try:
            for _ in range(10):
                began = time.monotonic()
                assert served.ask("/-/healthy")[0] == 200
                spent.append(time.monotonic() - began)
        finally:
            stop.set()
    assert sum(future.result() for future in asking) >= ASKERS
    assert statistics.median(spent) < 1.0  # a probe may wait a second before it counts as failed


def test_marks_that_wait_for_the_bucket_hold_up_no_other_page(served):
    entered, go_on = threading.Semaphore(0), threading.Event()

    def slow_mark(*fields):
        entered.release()
        assert go_on.wait(WAIT)

    served.gateway.mark_block = slow_mark
    with ThreadPoolExecutor(20) as pool:
        marking = [pool.submit(served.ask, "/api/v1/blocks/mark", "POST") for _ in range(20)]
        try:
            assert entered.acquire(timeout=WAIT)
            for path in ("/metrics", "/api/v1/status/flags", "/debug/pprof/goroutine?debug=2"):
                assert served.ask(path, headers={"Accept-Encoding": "gzip"})[0] == 200
        finally:
            go_on.set()
        assert [future.result()[0] for future in marking] == [204] * 20


def test_a_mark_that_waits_does_not_hold_up_the_stop(served):
    entered, go_on = threading.Event(), threading.Event()

    def slow_mark(*fields):
        entered.set()
        go_on.wait(WAIT * 2)

    served.gateway.mark_block = slow_mark
    with served.raw() as connection:
        connection.sendall(b"POST /api/v1/blocks/mark HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert entered.wait(WAIT)
        began = time.monotonic()
        served.front_end.stop(0.0)
        assert time.monotonic() - began < WAIT
    go_on.set()
