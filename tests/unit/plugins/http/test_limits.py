"""Clients that send too much, too slowly, or nonsense."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest
from starlette.responses import StreamingResponse

from .conftest import WAIT, read_all, wait_until

QUICK = 0.25  # s
REQUEST = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def strict(serve):
    """Patient with idle clients only."""
    return serve(header_timeout=QUICK, body_timeout=QUICK, write_timeout=QUICK)


@pytest.fixture(scope="module")
def small(serve):
    return serve(max_header_size=2000, max_body_size=1000)


def answered(connection):
    """One more request on a connection; whether its answer came whole."""
    connection.sendall(REQUEST)
    received = b""
    while not received.endswith(b"\r\n\r\nOK") and (data := connection.recv(1000)):
        received += data
    return received.startswith(b"HTTP/1.1 200 OK")


def endless(ended):
    """An application whose answer never ends; it sets the event when it has to stop."""

    async def parts():
        while True:
            yield b"x" * 100_000

    async def app(scope, receive, send):
        try:
            await StreamingResponse(parts())(scope, receive, send)
        finally:
            ended.set()

    return app


class TestSlowClients:
    def test_one_that_sends_nothing_is_cut_off(self, strict):
        with strict.raw() as connection:
            assert read_all(connection) == b""

    @pytest.mark.parametrize("start", [b"G", b"GET /-/healthy HTTP/1.1\r\nX-Slow: "], ids=["line", "header"])
    def test_one_that_sends_a_byte_now_and_then_is_cut_off(self, strict, start):
        def trickle():
            try:
                while not stopped.wait(QUICK / 10):
                    connection.sendall(b"x")
            except OSError:
                pass  # it was cut off

        stopped = threading.Event()
        with strict.raw() as connection:
            connection.sendall(start)
            sending = threading.Thread(target=trickle)
            sending.start()
            assert read_all(connection) == b""
            stopped.set()
            sending.join()

    def test_one_whose_second_request_is_slow_is_cut_off(self, strict):
        with strict.raw() as connection:
            assert answered(connection)
            connection.sendall(REQUEST[:10])
            assert read_all(connection) == b""

    @pytest.mark.parametrize("path", [b"/api/v1/blocks/mark", b"/-/healthy"])
    def test_one_that_never_sends_its_body_is_cut_off(self, strict, path):
        with strict.raw() as connection:
            connection.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
            assert b"204" not in read_all(connection)

    def test_one_that_takes_no_answer_is_cut_off(self, strict):
        ended = threading.Event()
        strict.front_end.mount("/endless", endless(ended))
        with strict.raw() as connection:
            connection.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            assert ended.wait(WAIT)

    def test_one_that_leaves_the_end_of_an_answer_is_cut_off(self, serve):
        """What the server has written, and waits to get rid of, fits its buffer: nothing but a clock notices."""
        served = serve(write_timeout=QUICK)

        async def large(scope, receive, send):
            await StreamingResponse(iter([b"x" * 20_000_000]))(scope, receive, send)

        served.front_end.mount("/large", large)
        with served.raw() as connection:
            connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert connection.recv(1)
            wait_until(lambda: not served.front_end._server.server_state.connections)

    def test_an_idle_connection_is_closed_in_the_end(self, serve):
        with serve(idle_timeout=QUICK).raw() as connection:
            connection.sendall(REQUEST)
            assert read_all(connection).endswith(b"OK")

    def test_an_idle_connection_is_no_slow_one(self, strict):
        with strict.connection() as idle, strict.raw() as slow:
            idle.request("GET", "/-/healthy")
            assert idle.getresponse().read() == b"OK"
            assert read_all(slow) == b""  # by now the time for headers has passed
            idle.request("GET", "/-/healthy")
            assert idle.getresponse().read() == b"OK"

    def test_a_slow_answer_is_not_the_clients_fault(self, strict):
        cut = threading.Event()

        async def patient(scope, receive, send):
            await waiting_for(cut)
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
            await send({"type": "http.response.body", "body": b"done"})

        strict.front_end.mount("/patient", patient)
        with strict.raw() as waiting, strict.raw() as slow:
            waiting.sendall(b"GET /patient HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert read_all(slow) == b""
            cut.set()
            assert read_all(waiting).endswith(b"done")

    def test_probes_answer_while_slow_clients_hang_on(self, served):
        hanging = [socket.create_connection(served.where, timeout=WAIT) for _ in range(50)]
        try:
            for connection in hanging:
                connection.sendall(b"GET / HTTP/1.1\r\n")
            began = time.monotonic()
            assert served.ask("/-/healthy")[1] == b"OK"
            assert time.monotonic() - began < served.front_end._config.header_timeout / 2
        finally:
            for connection in hanging:
                connection.close()


async def waiting_for(event):

    await asyncio.to_thread(event.wait, WAIT)


class TestManyConnections:
    def test_a_new_one_takes_the_place_of_the_one_idle_for_longest(self, serve):
        served = serve(max_connections=2)
        with served.raw() as first, served.raw() as second:
            for connection in (first, second):
                assert answered(connection)
            assert served.ask("/-/healthy")[0] == 200
            assert read_all(first) == b""
            assert answered(second)

    def test_those_at_work_stay(self, serve):
        served = serve(max_connections=2)
        entered, go_on = threading.Semaphore(0), threading.Event()

        async def slow(scope, receive, send):
            entered.release()
            await waiting_for(go_on)
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        served.front_end.mount("/slow", slow)
        with served.raw() as first, served.raw() as second:
            for connection in (first, second):
                connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert entered.acquire(timeout=WAIT)
            assert served.send(REQUEST) == b""
            go_on.set()
            assert [b"204" in read_all(connection) for connection in (first, second)] == [True, True]


class TestSizes:
    @pytest.mark.parametrize(
        "request_",
        [
            b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 3000 + b"\r\n\r\n",
            b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(1000)) + b"\r\n",
        ],
        ids=["header", "path", "number"],
    )
    def test_large_headers_are_431(self, small, request_):
        assert b" 431 " in small.send(request_).splitlines()[0]

    def test_headers_below_the_limit_are_fine(self, small):
        assert small.ask("/-/healthy", headers={"X-Long": "x" * 1500})[0] == 200

    @pytest.mark.parametrize("path", ["/api/v1/blocks/mark", "/-/healthy", "/metrics", "/nothing"])
    def test_a_large_body_is_413_before_it_is_sent(self, small, path):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n"
        answer = small.send(head.encode())
        assert b" 413 " in answer.splitlines()[0]
        assert b"connection: close" in answer

    def test_a_large_body_in_chunks_is_413(self, small):
        chunk = b"258\r\n" + b"x" * 600 + b"\r\n"
        head = b"POST /api/v1/blocks/mark HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert b" 413 " in small.send(head + chunk * 2).splitlines()[0]
        assert small.sample("http_requests_total", code="413", handler="blocks_mark", method="post") >= 1


class TestMalformedRequests:
    @pytest.mark.parametrize(
        "request_",
        [
            b"\r\n\r\n\r\n nonsense\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
            b"G\xffT / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /api/v1/blocks/mark HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ],
    )
    def test_what_is_no_http_is_refused_and_closed(self, small, request_):
        first = small.send(request_).splitlines()[0]
        assert first.startswith(b"HTTP/1.1 4") or b" 501 " in first
        assert small.ask("/-/healthy")[0] == 200

    def test_none_of_it_is_logged(self, small):
        assert [line for line in small.log if line["level"] in ("warning", "error")] == []

    def test_an_upgrade_that_is_not_offered_is_passed_over(self, small):
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x"}
        assert small.ask("/-/healthy", headers=headers)[0] == 200

    @pytest.mark.parametrize(
        "path",
        [
            "/../../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/..%2f..%2fetc/passwd",
            "/debug/pprof/../../../etc/passwd",
            "/api/v1/blocks/../../../etc/passwd",
            "/static/..%5c..%5cetc/passwd",
            "//etc/passwd",
            "/metrics/%00",
            "/%ff%fe",
        ],
    )
    def test_paths_lead_nowhere_else(self, small, path):
        answer = small.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert b" 404 " in answer.splitlines()[0]
        assert b"root:" not in answer

    def test_a_request_within_another_is_not_let_through(self, small):
        """Two lengths for one body: proxies and servers that disagree would see different requests."""
        body = b"0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
        head = b"POST /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = small.send(head % len(body) + body)
        assert b" 400 " in answer.splitlines()[0]
        assert answer.count(b"HTTP/1.1") == 1
