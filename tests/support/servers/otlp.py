"""A collector for OTLP on loopback, over HTTP or gRPC, that keeps what it is sent."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any

import grpc
from certificates import Pair
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as otlp_grpc

WAIT = 20.0  # s; a test waits this long only when it fails


class Collector:
    """`received` holds (headers, request) in the order in which they came; `address` is `host:port`."""

    def __init__(self) -> None:
        self.address = ""
        self.path = ""
        self.received: SimpleQueue[tuple[dict[str, str], Any]] = SimpleQueue()

    def next_spans(self) -> tuple[dict[str, str], dict[str, str], list[Any]]:
        """(headers, attributes of the resource, spans) of the next request."""
        headers, request = self.received.get(timeout=WAIT)
        (resource,) = request.resource_spans
        return headers, attributes(resource.resource), [span for scope in resource.scope_spans for span in scope.spans]


def attributes(holder: Any) -> dict[str, Any]:
    """Attributes of a span or resource as plain data."""
    return {entry.key: getattr(entry.value, entry.value.WhichOneof("value")) for entry in holder.attributes}


@contextmanager
def http_collector(certificate: Pair | None = None) -> Iterator[Collector]:
    """Takes OTLP/HTTP, compressed or not, over TLS if there is a certificate."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.path = self.path
            headers = {name.lower(): value for name, value in self.headers.items()}
            collector.received.put((headers, otlp.ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda request, address: None  # type: ignore[method-assign] # a client that turns away
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert, certificate.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    collector.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def grpc_collector(certificate: Pair | None = None) -> Iterator[Collector]:
    """Takes OTLP/gRPC, over TLS if there is a certificate."""
    collector = Collector()

    class Service(otlp_grpc.TraceServiceServicer):  # type: ignore[misc]
        def Export(self, request: Any, context: Any) -> Any:
            collector.received.put((dict(context.invocation_metadata()), request))
            return otlp.ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    otlp_grpc.add_TraceServiceServicer_to_server(Service(), server)
    if certificate is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        pair = (certificate.key.read_bytes(), certificate.cert.read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    collector.address = f"127.0.0.1:{port}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(0).wait()
