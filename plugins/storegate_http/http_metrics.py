"""`http_*` metrics, with the names, labels and buckets of the reference (operations 5.2)."""

from __future__ import annotations

import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, 240, 360, 720)
SIZES = tuple(64.0 * 2**n for n in range(10))  # bytes
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"})
_LABELS = ("code", "handler", "method")


class HttpMetrics:
    """The metrics of one registry. Thread-safe."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter("http_requests_total", "HTTP requests that were answered", _LABELS, registry=registry)
        self.seconds = Histogram(
            "http_request_duration_seconds", "Time to answer a request", _LABELS, buckets=SECONDS, registry=registry
        )
        self.request_bytes = Histogram(
            "http_request_size_bytes", "Size of requests, headers included", _LABELS, buckets=SIZES, registry=registry
        )
        self.response_bytes = Histogram(
            "http_response_size_bytes", "Size of the bodies of answers", _LABELS, buckets=SIZES, registry=registry
        )
        self.inflight = Gauge(
            "http_inflight_requests", "Requests that are being answered", ("handler", "method"), registry=registry
        )


class Measured:
    """An application whose requests are counted under a name."""

    def __init__(self, app: ASGIApp, handler: str, metrics: HttpMetrics) -> None:
        self._app = app
        self._handler = handler
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"] if scope["method"] in METHODS else "unknown"  # clients may make methods up
        inflight = self._metrics.inflight.labels(self._handler, method.upper())

        def observe(request: _Request) -> None:
            inflight.dec()
            self._observe(request, method.lower())

        request = _Request(scope, receive, send, observe)
        inflight.inc()
        try:
            await self._app(scope, request.receive, request.send)
        except HTTPException as error:
            request.status = error.status_code
            raise
        finally:
            request.end()

    def _observe(self, request: _Request, method: str) -> None:
        labels = (str(request.status), self._handler, method)
        self._metrics.requests.labels(*labels).inc()
        self._metrics.seconds.labels(*labels).observe(time.perf_counter() - request.began)
        self._metrics.request_bytes.labels(*labels).observe(request.received)
        self._metrics.response_bytes.labels(*labels).observe(request.sent)


class _Request:
    """Watches one request pass. Whoever has the whole answer finds it counted."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, observe: Callable[[_Request], None]) -> None:
        self._receive = receive
        self._send = send
        self._observe: Callable[[_Request], None] | None = observe
        self.began = time.perf_counter()
        self.status = 500  # what a client gets when the application fails before it answers
        headers = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        self.received = len(scope["method"]) + len(scope["path"]) + len(scope["query_string"]) + headers
        self.sent = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self.received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.sent += len(message.get("body", b""))
            if not message.get("more_body"):
                self.end()
        await self._send(message)

    def end(self) -> None:
        if self._observe is not None:
            observe, self._observe = self._observe, None
            observe(self)


_BY_REGISTRY: WeakKeyDictionary[CollectorRegistry, HttpMetrics] = WeakKeyDictionary()


def http_metrics(registry: CollectorRegistry) -> HttpMetrics:
    """The metrics of a registry: two HTTP front ends of one gateway share them."""
    if registry not in _BY_REGISTRY:
        _BY_REGISTRY[registry] = HttpMetrics(registry)
    return _BY_REGISTRY[registry]
