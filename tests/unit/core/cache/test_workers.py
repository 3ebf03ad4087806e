"""Threads that call caches."""

from __future__ import annotations

import threading
import time

from storegate.cache.workers import Workers

PATIENCE = 10.0


def test_jobs_run() -> None:
    workers, done = Workers(2, "test"), threading.Semaphore(0)
    for _ in range(10):
        assert workers.submit(lambda: done.release())
    assert all(done.acquire(timeout=PATIENCE) for _ in range(10))
    assert workers.close(PATIENCE)


def test_no_more_jobs_run_at_once_than_the_limit() -> None:
    workers, barrier = Workers(3, "test"), threading.Barrier(4)
    ended = threading.Semaphore(0)

    def job() -> None:
        barrier.wait(PATIENCE)
        ended.release()

    for _ in range(6):
        workers.submit(job)
    for _ in range(2):
        assert not workers.free
        barrier.wait(PATIENCE)
        assert all(ended.acquire(timeout=PATIENCE) for _ in range(3))
    assert workers.close(PATIENCE)


def test_idle_threads_are_used_again() -> None:
    workers, names = Workers(50, "test"), set()
    for _ in range(20):
        done = threading.Event()

        def job(done: threading.Event = done) -> None:
            names.add(threading.current_thread().name)
            done.set()

        workers.submit(job)
        assert done.wait(PATIENCE)
        until = time.monotonic() + PATIENCE
        while not workers.idle and time.monotonic() < until:
            time.sleep(0.001)
    assert workers.close(PATIENCE)
    assert names == {"test-0"}


def test_close_lets_taken_jobs_end_and_takes_no_more() -> None:
    workers, done = Workers(1, "test"), []
    for i in range(3):
        workers.submit(lambda i=i: done.append(i))  # type: ignore[misc]
    assert workers.close(PATIENCE)
    assert done == [0, 1, 2]
    assert not workers.submit(lambda: done.append(3))


def test_close_does_not_wait_for_a_job_that_hangs() -> None:
    workers, let_go = Workers(1, "test"), threading.Event()
    workers.submit(lambda: let_go.wait(PATIENCE) and None)
    assert not workers.close(0.01)
    let_go.set()
    assert workers.close(PATIENCE)


def test_threads_do_not_keep_the_process_alive() -> None:
    workers, seen = Workers(1, "test"), threading.Event()
    daemons: list[bool] = []

    def job() -> None:
        daemons.append(threading.current_thread().daemon)
        seen.set()

    workers.submit(job)
    assert seen.wait(PATIENCE)
    assert daemons == [True]
    assert workers.close(PATIENCE)
