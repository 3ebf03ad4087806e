"""Applications of other front ends on the same server: found, and held to the same rules."""

from __future__ import annotations

import gzip
import threading

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route


def says(text, path="/x"):
    return Starlette(routes=[Route(path, lambda request: PlainTextResponse(text))])


async def echo(scope, receive, send):
    """The path, and the length of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await PlainTextResponse(f"{scope['path']} {size}")(scope, receive, send)


@pytest.fixture(scope="module")
def shared(serve):
    served = serve(max_body_size=1000)
    served.front_end.mount("/api/v1/read", echo)
    served.front_end.mount("/named", echo, handler="given")
    return served


def test_a_mounted_application_answers_while_the_server_runs(served):
    served.front_end.mount("/api/v1", says("mounted"))
    assert served.ask("/api/v1/x")[:2] == (200, b"mounted")
    assert served.ask("/api/v1/y")[0] == 404


@pytest.mark.parametrize("path", ["/api/v1/read", "/api/v1/read/", "/api/v1/read/more"])
def test_it_gets_its_path_and_all_below(shared, path):
    assert shared.ask(path)[:2] == (200, f"{path} 0".encode())


def test_every_method_reaches_it(shared):
    assert shared.ask("/api/v1/read", "POST", body=b"12345")[:2] == (200, b"/api/v1/read 5")


def test_a_path_that_only_begins_alike_does_not(shared):
    assert shared.ask("/api/v1/ready")[0] == 404


def test_one_at_the_root_takes_what_is_left_and_no_more(served):
    served.front_end.mount("/", says("all", "/{path:path}"))
    served.front_end.mount("/api/v1/read", says("read", "/"))
    assert [served.ask(path)[1] for path in ("/", "/loaded", "/api/v1/read/")] == [b"all", b"all", b"read"]
    assert served.ask("/api/v1/status/flags")[1].startswith(b'{"status":"success"')
    assert served.ask("/-/healthy")[1] == b"OK"


@pytest.mark.parametrize(("path", "handler"), [("/api/v1/read", "api_v1_read"), ("/named", "given")])
def test_its_requests_are_counted(shared, path, handler):
    def count():
        return shared.sample("http_requests_total", code="200", handler=handler, method="post") or 0

    before = count()
    shared.ask(path, "POST", body=b"x")
    assert count() == before + 1


def test_it_has_cors_headers_below_the_api(shared):
    assert shared.ask("/api/v1/read")[2]["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in shared.ask("/named")[2]


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_that_are_too_large_do_not_reach_it(shared, chunked):
    body = (b"x" * 600 for _ in range(2)) if chunked else b"x" * 1001
    status, text, _ = shared.ask("/api/v1/read", "POST", body=body)
    assert (status, text) == (413, b"Request body too large")


def test_a_body_of_the_largest_size_does(shared):
    assert shared.ask("/api/v1/read", "POST", body=b"x" * 1000)[:2] == (200, b"/api/v1/read 1000")


@pytest.fixture(scope="module")
def answering(serve):
    async def parts():
        for _ in range(3):
            yield b"x" * 1000

    answers = {
        "/text": lambda request: PlainTextResponse("x" * 2000),
        "/json": lambda request: JSONResponse(["x" * 2000]),
        "/short": lambda request: PlainTextResponse("x" * 500),
        "/binary": lambda request: Response(b"x" * 2000, media_type="application/x-protobuf"),
        "/snappy": lambda request: PlainTextResponse("x" * 2000, headers={"Content-Encoding": "snappy"}),
        "/stream": lambda request: StreamingResponse(parts(), media_type="text/plain"),
    }
    served = serve()
    served.front_end.mount("/m", Starlette(routes=[Route(path, answer) for path, answer in answers.items()]))
    return served


class TestCompression:
    @pytest.mark.parametrize("path", ["/m/text", "/m/json"])
    def test_long_text_is_compressed_on_request(self, answering, path):
        plain = answering.ask(path)[1]
        _, body, headers = answering.ask(path, headers={"Accept-Encoding": "br, gzip"})
        assert headers["Content-Encoding"] == "gzip"
        assert int(headers["Content-Length"]) == len(body) < 200
        assert gzip.decompress(body) == plain

    @pytest.mark.parametrize("path", ["/m/short", "/m/binary", "/m/snappy", "/m/stream"])
    def test_other_answers_pass_as_they_are(self, answering, path):
        plain = answering.ask(path)
        asked = answering.ask(path, headers={"Accept-Encoding": "gzip"})
        assert asked[:2] == plain[:2]
        assert asked[2]["Content-Encoding"] == plain[2]["Content-Encoding"]

    @pytest.mark.parametrize("wanted", ["", "identity", "gzip;q=0", "gzip; q=0.0", "br", "x-gzippy"])
    def test_clients_that_do_not_want_gzip_get_none(self, answering, wanted):
        headers = answering.ask("/m/text", headers={"Accept-Encoding": wanted})[2]
        assert headers["Content-Encoding"] is None
        assert headers["Vary"] == "Accept-Encoding"


class TestFailures:
    def test_an_error_before_the_answer_is_500_and_logged(self, served):
        async def fail(scope, receive, send):
            raise RuntimeError("hunter2")

        served.front_end.mount("/bad", fail)
        assert served.ask("/bad")[:2] == (500, b"Internal Server Error")
        assert "hunter2" in served.log.text()

    def test_an_error_in_the_middle_of_an_answer_cuts_it_off(self, served):
        async def half(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
            await send({"type": "http.response.body", "body": b"12345", "more_body": True})
            raise RuntimeError("lost the rest")

        served.front_end.mount("/half", half)
        answer = served.send(b"GET /half HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.endswith(b"12345")
        assert served.ask("/-/healthy")[0] == 200

    def test_a_client_that_goes_away_is_no_error(self, served):
        gone = threading.Event()

        async def wait(scope, receive, send):
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

        served.front_end.mount("/wait", wait)
        with served.raw() as connection:
            connection.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert gone.wait(10)
        assert [line for line in served.log if line["level"] == "error"] == []


class TestPrefix:
    @staticmethod
    async def show(scope, receive, send):
        await PlainTextResponse(scope["storegate.prefix"])(scope, receive, send)

    def ask(self, serve, header="", **web):
        served = serve(web=web)
        served.front_end.mount("/p", self.show)
        return served.ask("/p", headers={"X-Prefix": header} if header else {})[1].decode()

    def test_without_settings_there_is_none(self, serve):
        assert self.ask(serve, "/from-header") == ""

    def test_the_setting_goes_before_the_header(self, serve):
        assert self.ask(serve, "/from-header", external_prefix="/set", prefix_header="X-Prefix") == "/set"

    def test_the_header_gives_one_to_each_request(self, serve):
        assert self.ask(serve, "https://host/a//b/", prefix_header="x-prefix") == "/a/b"
