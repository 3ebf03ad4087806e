"""The application, called as an HTTP server calls it, with clients that come and go as they please."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry
from remote_read.client import CHUNKS, SAMPLES, encode_request, query, read_chunked, read_samples
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from storegate.errors import ConfigurationError, InvalidRequestError, LimitError, UnavailableError
from storegate_proto.store.storepb.rpc_pb2 import SeriesResponse
from storegate_remote_read.config import RemoteReadConfig
from storegate_remote_read.endpoint import Endpoint
from storegate_remote_read.frontend import open_frontend
from storegate_remote_read.metrics import RemoteReadMetrics, remote_read_metrics

WAIT = 10.0
FRAME = SeriesResponse(series={"labels": [{"name": "a", "value": "b"}]}).SerializeToString()
QUERY = query(0, 10, (0, "a", "b"))
ASK_CHUNKS = encode_request([QUERY], [CHUNKS])
ASK_SAMPLES = encode_request([QUERY], [SAMPLES])


class Stream:
    """What the engine gives: steps are lists of frames, errors, or functions of the call that block."""

    def __init__(self, engine, call):
        self.engine = engine
        self.call = call
        self.steps = iter(engine.steps)

    def __iter__(self):
        return self

    def __next__(self):
        self.call.check()
        step = next(self.steps)
        if callable(step):
            step = step(self.call)
        if isinstance(step, BaseException):
            raise step
        self.engine.made += 1
        return step

    def close(self):
        self.engine.closed.set()


class Engine:
    """The part of a gateway that remote read uses."""

    def __init__(self, *steps):
        self.ready = True
        self.steps = steps
        self.made = 0
        self.calls = []
        self.closed = threading.Event()

    def series(self, request, call):
        self.calls.append((request, call))
        return Stream(self, call)


class Log:
    def __init__(self):
        self.errors = []

    def error(self, message, **fields):
        self.errors.append((message, fields))

    def info(self, message, **fields):
        pass


class Client:
    """One exchange. `parts` are the pieces of the body; the client goes away when `leaves` is set."""

    def __init__(self, *parts, method="POST", path="/api/v1/read", headers=()):
        self.scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
        self.parts = list(parts)
        self.leaves = asyncio.Event()
        self.messages = []
        self.on_body = None

    async def receive(self):
        if self.parts:
            return {"type": "http.request", "body": self.parts.pop(0), "more_body": bool(self.parts)}
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.messages.append(message)
        if message["type"] == "http.response.body" and self.on_body:
            await self.on_body()

    @property
    def status(self):
        return self.messages[0]["status"] if self.messages else None

    @property
    def headers(self):
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def complete(self):
        return bool(self.messages) and not self.messages[-1].get("more_body", False)


class Bench:
    """An endpoint over an engine, with its metrics and its log."""

    def __init__(self, engine, **settings):
        self.engine = engine
        self.registry = CollectorRegistry()
        self.log = Log()
        config = RemoteReadConfig.model_validate(settings)
        self.endpoint = Endpoint(engine, config, RemoteReadMetrics(self.registry), self.log)

    def run(self, *clients_of, timeout=WAIT):
        """Serve clients, made on the loop, side by side."""

        async def serve():
            clients = [make() for make in clients_of]
            exchanges = [self.endpoint(c.scope, c.receive, c.send) for c in clients]
            await asyncio.wait_for(asyncio.gather(*exchanges), timeout)
            return clients

        clients = asyncio.run(serve())
        return clients[0] if len(clients) == 1 else clients

    def count(self, kind, code):
        return self.registry.get_sample_value("storegate_remote_read_requests_total", {"type": kind, "code": code})


@pytest.fixture
def bench():
    made = []

    def make(*steps, **settings):
        made.append(Bench(Engine(*steps), **settings))
        return made[-1]

    yield make
    for one in made:
        one.endpoint.running.stop(0.0)


def ask(*parts, **options):
    return lambda: Client(*(parts or (ASK_CHUNKS,)), **options)


# --- answers ---


def test_chunks_are_streamed(bench):
    one = bench([FRAME], [], [FRAME, FRAME])
    client = one.run(ask(ASK_CHUNKS))
    assert client.status == 200
    assert client.headers == {"content-type": "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"}
    assert sum(series.frames for series in read_chunked(client.body)) == 3
    assert client.complete
    assert len(client.messages) == 5  # the start, three pieces, the end
    assert one.count("chunks", "200") == 1
    assert one.engine.closed.is_set()


def test_samples_are_sent_when_they_are_complete(bench):
    one = bench([FRAME], [FRAME])
    client = one.run(ask(ASK_SAMPLES))
    assert client.headers == {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
    assert len(read_samples(client.body)[0]) == 2
    assert one.count("samples", "200") == 1


def test_an_answer_without_series_is_empty_and_well(bench):
    assert bench([]).run(ask(ASK_CHUNKS)).body == b""
    assert read_samples(bench([]).run(ask(ASK_SAMPLES)).body) == [[]]


def test_a_body_may_come_in_pieces(bench):
    client = bench([FRAME]).run(ask(*(bytes([byte]) for byte in ASK_CHUNKS)))
    assert client.status == 200


def test_tenant_and_request_id_come_from_headers(bench):
    one = bench([FRAME])
    one.run(ask(headers=[(b"thanos-tenant", b"team"), (b"x-request-id", b"7")]))
    one.run(ask())
    assert [(call.tenant, call.request_id) for _, call in one.engine.calls] == [("team", "7"), ("default-tenant", "")]


# --- refusals ---


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_only_post_is_taken(bench, method):
    client = bench().run(ask(method=method))
    assert (client.status, client.headers["allow"]) == (405, "POST")


def test_there_is_nothing_below_the_path(bench):
    assert bench().run(ask(path="/api/v1/read/more")).status == 404


def test_a_gateway_that_is_not_ready_says_so(bench):
    one = bench()
    one.engine.ready = False
    client = one.run(ask())
    assert (client.status, client.body) == (503, b"the gateway is not ready: try again later\n")


def test_a_body_over_the_limit_is_refused_while_it_comes(bench):
    client = bench(max_request_size=50).run(ask(b"x" * 40, b"x" * 11, b"never read"))
    assert client.status == 413
    assert client.parts == [b"never read"]


def test_a_malformed_body_is_refused_with_one_line(bench):
    one = bench()
    client = one.run(ask(b"not snappy"))
    assert client.status == 400
    assert client.body.count(b"\n") == 1
    assert one.count("none", "400") == 1


@pytest.mark.parametrize("body", [ASK_CHUNKS, ASK_SAMPLES])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidRequestError("bad matcher"), 400),
        (LimitError("exceeded series limit", limit="series", allowed=1, reached=2), 422),
        (UnavailableError("the store is away"), 503),
    ],
)
def test_an_error_before_the_first_byte_is_a_status(bench, body, error, status):
    client = bench([], error).run(ask(body))
    assert (client.status, client.body) == (status, f"{error}\n".encode())
    assert client.complete


def test_what_nobody_expected_is_logged_and_hidden(bench):
    one = bench(KeyError("secret"))
    client = one.run(ask())
    assert (client.status, b"secret" in client.body) == (500, False)
    assert "secret" in repr(one.log.errors[0][1]["exc_info"])


def test_an_error_behind_the_first_byte_breaks_the_answer_off(bench):
    one = bench([FRAME], UnavailableError("the store is away"))
    client = one.run(ask())
    assert client.status == 200
    assert not client.complete
    assert one.count("chunks", "503") == 1
    assert one.engine.closed.wait(WAIT)


# --- clients that go, deadlines, shutdown ---


def blocks(call):
    """A step that ends with its call."""
    call.wait(threading.Event())


@pytest.mark.parametrize("body", [ASK_CHUNKS, ASK_SAMPLES])
def test_a_client_that_goes_away_cancels_its_query(bench, body):
    def leaving(call):
        loop.call_soon_threadsafe(clients[0].leaves.set)
        blocks(call)

    one = bench(leaving)
    clients = []

    def make():
        nonlocal loop
        loop = asyncio.get_running_loop()
        clients.append(Client(body))
        return clients[0]

    loop = None
    client = one.run(make)
    assert client.messages == []
    assert one.engine.closed.wait(WAIT)
    assert one.count("chunks" if body == ASK_CHUNKS else "samples", "499") == 1


def test_a_client_that_goes_away_while_it_asks_is_no_error(bench):
    one = bench()

    def make():
        client = Client()
        client.parts = []
        client.leaves.set()
        return client

    assert one.run(make).messages == []
    assert one.count("none", "499") == 1
    assert one.log.errors == []


@pytest.mark.parametrize("error", [ClientDisconnect(), HTTPException(413, "Request body too large")])
def test_what_the_server_raises_is_its_own(bench, error):
    """The HTTP front end tells in this way that a client is gone, or sends too much."""
    one = bench()

    async def receive():
        raise error

    def make():
        client = Client()
        client.receive = receive
        return client

    if isinstance(error, HTTPException):
        with pytest.raises(HTTPException):
            one.run(make)
    else:
        assert one.run(make).messages == []
    assert one.count("none", "413" if isinstance(error, HTTPException) else "499") == 1
    assert one.log.errors == []


def test_a_client_that_is_gone_when_it_is_written_to_ends_its_query(bench):
    one = bench([FRAME], blocks)

    async def gone():
        raise ClientDisconnect

    def make():
        client = Client(ASK_CHUNKS)
        client.on_body = gone
        return client

    one.run(make)
    assert one.engine.closed.wait(WAIT)
    assert one.count("chunks", "499") == 1


def test_a_query_that_takes_too_long_ends(bench):
    one = bench(blocks, timeout=0.05)
    client = one.run(ask())
    assert client.status == 504
    assert one.engine.closed.wait(WAIT)


def test_a_client_that_does_not_read_slows_its_own_query_and_ends_with_the_deadline(bench):
    one = bench(*[[FRAME]] * 50, timeout=0.2)

    def make():
        client = Client(ASK_CHUNKS)
        client.on_body = asyncio.Event().wait
        return client

    client = one.run(make)
    assert not client.complete
    assert one.engine.made <= 4
    assert one.engine.closed.wait(WAIT)
    assert one.count("chunks", "504") == 1


def test_requests_wait_for_nobody_else(bench):
    """While one waits for the engine, another is answered."""
    release = threading.Event()
    first = [lambda call: release.wait(WAIT) and [FRAME], lambda call: [FRAME]]
    one = bench()
    one.engine.series = lambda request, call: Stream(
        SimpleNamespace(steps=[first.pop(0)], made=0, closed=threading.Event()), call
    )

    def quick():
        client = Client(ASK_CHUNKS)

        async def done():
            release.set()

        client.on_body = done
        return client

    clients = one.run(ask(), quick)
    assert [client.status for client in clients] == [200, 200]


def test_stopping_refuses_new_requests_and_waits_for_running_ones(bench):
    entered = threading.Event()
    release = threading.Event()

    def slow(call):
        entered.set()
        assert release.wait(WAIT)
        return [FRAME]

    one = bench(slow)
    found = []
    thread = threading.Thread(target=lambda: found.append(one.run(ask())))
    thread.start()
    assert entered.wait(WAIT)
    stopping = threading.Thread(target=one.endpoint.running.stop, args=(WAIT,))
    stopping.start()
    while not one.endpoint.running.stopping:
        time.sleep(0.001)
    assert Bench.run(one, ask()).status == 503
    release.set()
    stopping.join(WAIT)
    thread.join(WAIT)
    assert found[0].status == 200


def test_stopping_ends_requests_that_outlast_the_grace(bench):
    entered = threading.Event()
    one = bench(lambda call: entered.set() or blocks(call))
    found = []
    thread = threading.Thread(target=lambda: found.append(one.run(ask())))
    thread.start()
    assert entered.wait(WAIT)
    one.endpoint.running.stop(0.0)
    thread.join(WAIT)
    assert one.engine.closed.is_set()
    assert found[0].messages == []


# --- the front end ---


class Server:
    """A front end whose server takes applications."""

    address = "127.0.0.1:1"

    def __init__(self):
        self.mounted = {}

    def mount(self, path, app):
        self.mounted[path] = app


def context():
    return SimpleNamespace(registry=CollectorRegistry(), log=Log(), name="remote-read")


def test_it_mounts_itself_on_the_http_server():
    server = Server()
    front = open_frontend(RemoteReadConfig(path="/x/read"), context())
    front.start(SimpleNamespace(frontend=lambda name: server if name == "http" else None))
    assert list(server.mounted) == ["/x/read"]
    assert front.address == server.address
    front.stop(0.0)


@pytest.mark.parametrize(("server", "why"), [(None, "none is running"), (object(), "takes no applications")])
def test_without_an_http_server_it_says_what_to_do(server, why):
    front = open_frontend(RemoteReadConfig(), context())
    with pytest.raises(ConfigurationError, match=rf"{why}: list http in frontends"):
        front.start(SimpleNamespace(frontend=lambda name: server))
    front.stop(0.0)


def test_two_of_them_share_the_metrics_of_a_registry():
    registry = CollectorRegistry()
    assert remote_read_metrics(registry) is remote_read_metrics(registry)
