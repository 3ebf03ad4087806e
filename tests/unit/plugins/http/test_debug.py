"""Profiles over HTTP: forms, bounds, and what ends them."""

from __future__ import annotations

import gzip
import threading

import pytest

from .conftest import WAIT


@pytest.fixture(scope="module")
def debug(serve):
    return serve()


def test_the_index_leads_to_what_is_there(debug):
    status, body, _ = debug.ask("/debug/pprof/")
    assert status == 200
    for name in (b"profile", b"goroutine", b"heap", b"fgprof"):
        assert name in body


@pytest.mark.parametrize(
    "path",
    [
        "profile?seconds=0.05",
        "../fgprof?seconds=0.05",
        "goroutine",
        "threadcreate",
        "heap",
        "allocs",
        "heap?seconds=0.05",
    ],
)
def test_profiles_are_gzipped_pprof_by_default(debug, path):
    url = "/debug/fgprof?seconds=0.05" if "fgprof" in path else f"/debug/pprof/{path}"
    status, body, headers = debug.ask(url)
    assert status == 200
    assert headers["Content-Disposition"].startswith("attachment")
    assert b"count" in gzip.decompress(body)


@pytest.mark.parametrize("form", ["collapsed", "folded"])
def test_profiles_are_collapsed_stacks_on_request(debug, form):
    body = debug.ask(f"/debug/fgprof?seconds=0.05&format={form}")[1].decode()
    assert "http-loop;" in body
    assert all(line.rpartition(" ")[2].isdecimal() for line in body.splitlines())


def test_threads_and_tasks_are_text_on_request(debug):
    assert b"http-loop" in debug.ask("/debug/pprof/goroutine?debug=1")[1]
    assert b"\ntask Task-" in debug.ask("/debug/pprof/goroutine?debug=2")[1]


def test_the_heap_is_a_table_on_request(debug):
    body = debug.ask("/debug/pprof/heap?debug=1&gc=1")[1].decode()
    assert "# VmRSS_bytes: " in body
    assert "builtins.dict" in body


@pytest.mark.parametrize("seconds", ["x", "-1", "nan", "inf", "301", "1e9"])
def test_times_have_bounds(debug, seconds):
    assert debug.ask(f"/debug/pprof/profile?seconds={seconds}")[0] == 400


def test_an_unknown_form_is_refused(debug):
    assert debug.ask("/debug/pprof/profile?seconds=0.05&format=svg")[0] == 400


@pytest.mark.parametrize("name", ["cmdline", "trace", "symbol", "block", "mutex", "nothing", "../../etc/passwd"])
def test_what_is_not_there_is_404(debug, name):
    assert debug.ask(f"/debug/pprof/{name}")[0] == 404


def test_only_reading_is_allowed(debug):
    assert debug.ask("/debug/pprof/profile", "POST")[0] == 405


@pytest.fixture
def long_profile(serve):
    """A server on which a profile of five minutes is being taken, and the connection that wants it."""
    served = serve()
    with served.raw() as connection:
        connection.sendall(b"GET /debug/pprof/profile?seconds=300 HTTP/1.1\r\nHost: x\r\n\r\n")
        while not any(thread.name == "profiler" for thread in threading.enumerate()):
            assert served.ask("/-/healthy")[0] == 200
        yield served, connection


def profiler():
    return next((thread for thread in threading.enumerate() if thread.name == "profiler"), None)


def test_one_profile_is_taken_at_a_time(long_profile):
    served, _ = long_profile
    for path in ("profile?seconds=1", "heap?seconds=1", "heap"):
        status, _, headers = served.ask(f"/debug/pprof/{path}")
        assert (status, headers["Retry-After"]) == (429, "10")
    assert served.ask("/debug/pprof/goroutine?debug=2")[0] == 200


def test_a_profile_ends_when_its_client_goes(long_profile):
    served, connection = long_profile
    running = profiler()
    connection.close()
    running.join(WAIT)
    assert not running.is_alive()
    assert served.ask("/debug/pprof/profile?seconds=0.05")[0] == 200


def test_a_profile_does_not_hold_up_the_stop(long_profile):
    served, connection = long_profile
    served.front_end.stop(WAIT * 2)
    received = b""
    while data := connection.recv(65536):
        received += data
    assert received.startswith(b"HTTP/1.1 200")


def test_they_can_be_switched_off(serve):
    served = serve(web={"disable_debug": True})
    paths = ("/debug/pprof/", "/debug/pprof/profile", "/debug/pprof/goroutine", "/debug/fgprof")
    assert [served.ask(path)[0] for path in paths] == [404] * 4
    assert b"pprof" not in served.ask("/")[1]
