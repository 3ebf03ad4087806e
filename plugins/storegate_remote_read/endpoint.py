"""The ASGI application that takes requests."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from storegate.errors import CancelledError, DeadlineError, StoregateError
from storegate.metrics import DEFAULT_TENANT
from storegate.query.call import Call
from storegate_remote_read.chunked import CONTENT_TYPE as CHUNKED
from storegate_remote_read.chunked import chunked_answer
from storegate_remote_read.config import RESOLUTIONS, RemoteReadConfig
from storegate_remote_read.metrics import RemoteReadMetrics
from storegate_remote_read.pieces import Pieces
from storegate_remote_read.requests import ReadRequest, ResponseType, read_request
from storegate_remote_read.running import RunningRequests
from storegate_remote_read.sampled import CONTENT_TYPE as SAMPLED
from storegate_remote_read.sampled import sampled_answer
from storegate_remote_read.statuses import http_status

if TYPE_CHECKING:
    from storegate.gateway import Gateway

NAMES = {None: "none", ResponseType.SAMPLES: "samples", ResponseType.STREAMED_XOR_CHUNKS: "chunks"}
HEADERS = {
    ResponseType.SAMPLES: {"Content-Type": SAMPLED, "Content-Encoding": "snappy"},
    ResponseType.STREAMED_XOR_CHUNKS: {"Content-Type": CHUNKED},
}
TEXT = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
TENANT_HEADER, REQUEST_ID_HEADER = b"thanos-tenant", b"x-request-id"


class Endpoint:
    """Answers remote read requests. Runs on the event loop of the HTTP server; the engine runs on worker threads."""

    def __init__(self, gateway: Gateway, config: RemoteReadConfig, metrics: RemoteReadMetrics, log: Any) -> None:
        self._gateway = gateway
        self._config = config
        self._metrics = metrics
        self._log = log
        self.running = RunningRequests()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        if refusal is not None:
            await _send_text(send, *refusal)
            return
        with self._metrics.running.track_inprogress():
            await _Exchange(self, scope, receive, send).run()

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if not scope["path"].rstrip("/").endswith(self._config.path):
            return 404, f"there is nothing below {self._config.path}"
        if scope["method"] != "POST":
            return 405, "remote read takes POST requests"
        if not self._gateway.ready or self.running.stopping:
            return 503, "the gateway is not ready: try again later"
        return None

    def parse(self, body: bytes) -> ReadRequest:
        """The request. Raises InvalidRequestError."""
        config = self._config
        return read_request(
            body,
            max_size=config.max_request_size,
            max_resolution=RESOLUTIONS[config.max_resolution],
            replica_labels=config.replica_labels,
        )

    def answer(self, request: ReadRequest, call: Call) -> Iterable[bytes]:
        """The body of the answer; it blocks, before it is returned or between its pieces."""
        if request.type is ResponseType.SAMPLES:
            return sampled_answer(self._gateway, request, call, self._config.max_samples)
        return chunked_answer(self._gateway, request, call, self._config.max_frame_size)

    def open_call(self, scope: Scope) -> Call:
        headers = dict(scope["headers"])
        timeout = self._config.timeout
        return Call(
            tenant=headers.get(TENANT_HEADER, b"").decode("latin-1") or DEFAULT_TENANT,
            request_id=headers.get(REQUEST_ID_HEADER, b"").decode("latin-1"),
            deadline=time.monotonic() + timeout if timeout else None,
        )

    @property
    def max_request_size(self) -> int:
        return self._config.max_request_size

    def ended(self, kind: ResponseType | None, status: int, seconds: float, sent: int) -> None:
        name = NAMES[kind]
        self._metrics.requests.labels(name, str(status)).inc()
        self._metrics.seconds.labels(name).observe(seconds)
        self._metrics.sent_bytes.labels(name).inc(sent)

    def unexpected(self, error: Exception) -> None:
        self._log.error("unexpected error in remote read", exc_info=error)


class _TooLargeError(StoregateError):
    """The body is longer than max_request_size."""


class _Exchange:
    """One request and its answer."""

    def __init__(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        self._endpoint = endpoint
        self._receive = receive
        self._send = send
        self._call = endpoint.open_call(scope)
        self._kind: ResponseType | None = None
        self._begun = False
        self._sent = 0

    async def run(self) -> None:
        """Answer, or say in one line why not. After the first byte an error can only break the connection off."""
        status = 200
        try:
            async with asyncio.timeout_at(self._call.deadline):
                await self._answer()
        except (Exception, asyncio.CancelledError) as error:
            status, text = self._status(error)
            if isinstance(error, asyncio.CancelledError | HTTPException):  # the server's own
                raise
            if not self._begun and status != 499:
                await _send_text(self._send, status, text)
        finally:
            self._call.cancel()  # the worker, if it is still at it
            self._endpoint.ended(self._kind, status, time.monotonic() - self._call.started, self._sent)

    def _status(self, error: BaseException) -> tuple[int, str]:
        if isinstance(error, _TooLargeError):
            return 413, str(error)
        if isinstance(error, TimeoutError):
            return http_status(DeadlineError("the request took longer than the timeout of remote read allows"))
        if isinstance(error, HTTPException):
            return error.status_code, error.detail
        if isinstance(error, asyncio.CancelledError | ClientDisconnect):
            return 499, ""  # the server gives the connection up, or the client has
        assert isinstance(error, Exception)
        if not isinstance(error, StoregateError):
            self._endpoint.unexpected(error)
        return http_status(error)

    async def _answer(self) -> None:
        request = self._endpoint.parse(await self._body())
        self._kind = request.type
        pieces = Pieces(self._call)
        watch = asyncio.create_task(self._watch())
        try:
            self._endpoint.running.submit(
                self._call, lambda: pieces.make(lambda: self._endpoint.answer(request, self._call))
            )
            while (piece := await pieces.next()) is not None:
                await self._begin(request.type)
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
                self._sent += len(piece)
            await self._begin(request.type)
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            watch.cancel()

    async def _begin(self, kind: ResponseType) -> None:
        if self._begun:
            return
        self._begun = True
        await self._send(_start(200, HEADERS[kind]))

    async def _body(self) -> bytes:
        most, body = self._endpoint.max_request_size, bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CancelledError("the client went away before its request was complete")
            body += message.get("body", b"")
            if len(body) > most:
                raise _TooLargeError(f"the request is larger than max_request_size allows, {most} bytes")
            if not message.get("more_body", False):
                return bytes(body)

    async def _watch(self) -> None:
        """Cancel the call when the client goes away."""
        with contextlib.suppress(asyncio.CancelledError):
            while (await self._receive())["type"] != "http.disconnect":
                pass
            self._call.cancel()


def _start(status: int, headers: dict[str, str]) -> Message:
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": encoded}


async def _send_text(send: Send, status: int, text: str) -> None:
    body = text.encode() + b"\n"
    headers = TEXT | {"Content-Length": str(len(body))} | ({"Allow": "POST"} if status == 405 else {})
    await send(_start(status, headers))
    await send({"type": "http.response.body", "body": body})
