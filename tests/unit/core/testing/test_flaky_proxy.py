"""A proxy that harms connections, over a server of the standard library."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from storegate.testing.flaky_proxy import FlakyProxy, HttpFault

BODY = bytes(range(256)) * 40


class Echo(BaseHTTPRequestHandler):
    """Answers GET with a body, PUT with what came, and tells the Host that it was asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(BODY)

    def do_HEAD(self) -> None:
        self._answer(BODY)

    def do_PUT(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("X-Host", self.headers["Host"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def proxy(upstream: str) -> Iterator[FlakyProxy]:
    with FlakyProxy(upstream) as proxy:
        yield proxy


def ask(proxy: FlakyProxy, path: str = "/", method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(proxy.address, timeout=30)
    try:
        connection.request(method, path, body, {"Host": "bucket.example"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def read_all(connection: socket.socket) -> None:
    while connection.recv(1 << 20):
        pass


def test_requests_and_answers_pass_unharmed(proxy: FlakyProxy) -> None:
    assert ask(proxy, "/a%20b?c=d") == (200, BODY)
    assert ask(proxy, method="PUT", body=b"12345") == (200, b"12345")
    assert ask(proxy, method="HEAD") == (200, b"")
    assert proxy.requests() == [("GET", "/a%20b?c=d"), ("PUT", "/"), ("HEAD", "/")]


def test_the_host_that_was_asked_for_is_passed_on(proxy: FlakyProxy) -> None:
    connection = http.client.HTTPConnection(proxy.address, timeout=30)
    connection.request("GET", "/", headers={"Host": "bucket.example"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.getheader("X-Host") == "bucket.example"


def test_as_many_requests_are_answered_with_a_status_as_the_fault_says(proxy: FlakyProxy) -> None:
    proxy.add(HttpFault(path="/x*", first=2, times=2, status=503, headers={"Retry-After": "1"}, body=b"slow down"))
    assert [ask(proxy, "/x")[0] for _ in range(4)] == [200, 503, 503, 200]
    assert ask(proxy, "/y")[0] == 200


def test_a_connection_is_reset_in_the_middle_of_the_body(proxy: FlakyProxy) -> None:
    proxy.add(HttpFault(times=1, cut_after=1000))
    with pytest.raises(ConnectionResetError):
        ask(proxy)
    assert ask(proxy) == (200, BODY)


def test_an_answer_stalls_until_it_is_released(proxy: FlakyProxy) -> None:
    proxy.add(HttpFault(times=1, stall_after=10))
    answers: list[tuple[int, bytes]] = []
    asking = threading.Thread(target=lambda: answers.append(ask(proxy)))
    asking.start()
    assert proxy.stalled.wait(30)
    assert answers == []
    proxy.release()
    asking.join(30)
    assert answers == [(200, BODY)]


def test_a_killed_proxy_refuses_connections(proxy: FlakyProxy) -> None:
    proxy.kill()
    with pytest.raises(ConnectionRefusedError):
        ask(proxy)


def test_a_killed_proxy_resets_its_connections(proxy: FlakyProxy) -> None:
    connection = socket.create_connection(("127.0.0.1", int(proxy.address.partition(":")[2])), timeout=30)
    with connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: bucket.example\r\n\r\n")
        assert connection.recv(8) == b"HTTP/1.1"
        proxy.kill()
        with pytest.raises(ConnectionResetError):
            read_all(connection)


def test_a_killed_proxy_resumes_at_the_same_address(proxy: FlakyProxy) -> None:
    before = proxy.address
    proxy.kill()
    proxy.resume()
    assert proxy.address == before
    assert ask(proxy) == (200, BODY)


def test_cleared_faults_strike_no_more(proxy: FlakyProxy) -> None:
    proxy.add(HttpFault(status=500))
    proxy.clear()
    assert ask(proxy)[0] == 200
