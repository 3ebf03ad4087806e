"""The gRPC server: a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from storegate.errors import ConfigurationError
from storegate.listen import join_address, open_listener, parse_address
from storegate.types import PluginContext
from storegate_grpc.config import GrpcConfig
from storegate_grpc.handlers import HandlerTable
from storegate_grpc.pools import Pools
from storegate_grpc.rpc_metrics import rpc_metrics
from storegate_grpc.services import Services
from storegate_grpc.tls import accepts_tls12, server_credentials

if TYPE_CHECKING:
    from storegate.gateway import Gateway

SETTING = "front end grpc, address (--grpc-address)"
PING_INTERVAL_MS = 10_000
CLOSE_SECONDS = 5.0  # how long queries of ended calls may take to let go of their blocks


def server_options(config: GrpcConfig) -> list[tuple[str, int]]:
    """Channel arguments of the server (StoreAPI 3)."""
    options = [
        ("grpc.max_receive_message_length", 2**31 - 1),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),  # a busy address must be an error
        # Queriers ping every 10 s; grpc's own minimum of 5 minutes would answer them with GOAWAY.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", PING_INTERVAL_MS),
        ("grpc.http2.min_ping_interval_without_data_ms", PING_INTERVAL_MS),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
    if config.max_connection_age > 0:
        options.append(("grpc.max_connection_age_ms", min(2**31 - 1, int(config.max_connection_age * 1000))))
    return options


class GrpcFrontEnd:
    """Serves a gateway over gRPC. `start` and `stop` may be called from any thread, each once."""

    def __init__(self, config: GrpcConfig, context: PluginContext) -> None:
        parse_address(config.address, SETTING)
        self.address = config.address
        self._config = config
        self._log: Any = context.log
        self._registry = context.registry
        self._credentials = server_credentials(config, context.log)
        self._health = health_aio.HealthServicer()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked: asyncio.Event | None = None
        self._updates: set[asyncio.Future[None]] = set()
        self._grace = 0.0
        self._services: Services | None = None

    def start(self, gateway: Gateway) -> None:
        """Listen and serve. Raises ConfigurationError when the address is taken or wrong."""
        started: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(gateway, started), name="grpc-loop", daemon=True)
        self._thread.start()
        port = started.result()
        self.address = join_address(parse_address(self._config.address, SETTING)[0], port)
        self._log.info("listening for gRPC", address=self.address, tls=self._credentials is not None)
        gateway.on_ready_change(self._ready_changed)
        self._ready_changed(gateway.ready)  # it may have changed since the server was built

    def stop(self, grace: float) -> None:
        """NOT_SERVING, no new calls, running ones end within `grace` or the configured grace period."""
        if self._thread is None or self._loop is None or self._stop_asked is None:
            return
        self._grace = min(grace, self._config.grace_period)
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._stop_asked.set)
        self._thread.join()
        self._thread = None

    def _run(self, gateway: Gateway, started: Future[int]) -> None:
        pools = Pools(gateway.settings.limits.concurrency)
        try:
            asyncio.run(self._serve(gateway, pools, started))
        except Exception as error:
            if started.done():
                self._log.error("the gRPC server ended with an error", exc_info=error)
            else:
                started.set_exception(error)
        finally:
            if self._services is not None:
                wait(set(self._services.closing), timeout=CLOSE_SECONDS)
            pools.close()

    async def _serve(self, gateway: Gateway, pools: Pools, started: Future[int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop_asked = asyncio.Event()
        self._services = Services(gateway, pools, series_hints=self._config.series_hints, log=self._log)
        await self._set_health(gateway.ready)
        calls = gateway.settings.request_logging.for_grpc()
        table = HandlerTable(rpc_metrics(self._registry), calls, self._log).build(self._services, self._health)
        compression = grpc.Compression.Gzip if self._config.response_compression == "gzip" else None
        server = grpc.aio.server(options=server_options(self._config), compression=compression)
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, methods) for service, methods in table.items()]
        )
        port = self._bind(server)
        await server.start()
        try:
            await self._check_tls(port)
        except BaseException:
            await server.stop(0)
            raise
        started.set_result(port)
        await self._stop_asked.wait()
        await self._health.enter_graceful_shutdown()
        await server.stop(self._grace)

    def _bind(self, server: grpc.aio.Server) -> int:
        with open_listener(self._config.address, SETTING):
            pass  # tells what is wrong with an address; grpc itself only says that it failed
        address = join_address(*_grpc_host(self._config.address))
        try:
            port: int = (
                server.add_insecure_port(address)
                if self._credentials is None
                else server.add_secure_port(address, self._credentials)
            )
        except RuntimeError as error:
            raise ConfigurationError(f"{SETTING}: cannot listen on {self._config.address}: {error}") from error
        return port

    async def _check_tls(self, port: int) -> None:
        """Trust no trick: TLS 1.3 alone is what the environment has made of the library (`opening.py`)."""
        if self._credentials is None or self._config.tls_min_version != "1.3":
            return
        host = parse_address(self._config.address, SETTING)[0]
        try:
            accepted = await accepts_tls12(host, port)
        except OSError as error:  # a TimeoutError, too
            self._log.warning("cannot check that only TLS 1.3 is spoken", err=error)
            return
        if accepted:
            raise ConfigurationError(
                "front end grpc, tls_min_version (--grpc-server-tls-min-version): this gRPC library accepts TLS 1.2 all"
                " the same; set 1.2, or end TLS in a proxy that insists on 1.3"
            )

    def _ready_changed(self, ready: bool) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
                self._loop.call_soon_threadsafe(self._update_health, ready)

    def _update_health(self, ready: bool) -> None:
        task = asyncio.ensure_future(self._set_health(ready))
        self._updates.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._updates.discard)

    async def _set_health(self, ready: bool) -> None:
        statuses: Any = health_pb2.HealthCheckResponse
        await self._health.set("", statuses.SERVING if ready else statuses.NOT_SERVING)


def _grpc_host(address: str) -> tuple[str, int]:
    host, port = parse_address(address, SETTING)
    return host or "::", port
