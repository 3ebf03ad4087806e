"""All methods that the server answers, each with its guard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from storegate.config.request_logging import CallLogging
from storegate_grpc.codes import series_status, unary_status
from storegate_grpc.guard import Guard, Statuses
from storegate_grpc.reflection import V1, V1ALPHA, reflection_servicer
from storegate_grpc.request_log import MethodLog
from storegate_grpc.rpc_metrics import RpcMetrics
from storegate_grpc.services import Services

STORE = "thanos.Store"
INFO = "thanos.info.Info"
HEALTH = "grpc.health.v1.Health"

Handlers = Mapping[str, Mapping[str, grpc.RpcMethodHandler]]
Unary = Callable[[bytes, Any], Awaitable[bytes]]


class HandlerTable:
    """Builds the handlers; requests and answers of the StoreAPI pass as bytes, the engine has encoded them."""

    def __init__(self, metrics: RpcMetrics, calls: CallLogging, log: Any) -> None:
        self._metrics = metrics
        self._calls = calls
        self._log = log

    def build(self, services: Services, health: Any) -> Handlers:
        """By service, then method. `health` is a `HealthServicer` of grpc_health's asyncio kind."""
        reflection = reflection_servicer((STORE, INFO, HEALTH, V1, V1ALPHA))
        return {
            STORE: {
                "Series": self._series(services),
                "LabelNames": self._unary(STORE, "LabelNames", services.label_names),
                "LabelValues": self._unary(STORE, "LabelValues", services.label_values),
                "Info": self._unary(STORE, "Info", services.legacy_info),
            },
            INFO: {"Info": self._unary(INFO, "Info", services.info)},
            HEALTH: self._health(health),
            V1: {"ServerReflectionInfo": self._reflection(V1, reflection)},
            V1ALPHA: {"ServerReflectionInfo": self._reflection(V1ALPHA, reflection)},
        }

    def _guard(self, kind: str, service: str, method: str, statuses: Statuses = unary_status) -> Guard:
        calls = MethodLog(self._calls, kind, service, method, self._log)
        return Guard(self._metrics.method(kind, service, method), statuses, calls, self._log)

    def _series(self, services: Services) -> grpc.RpcMethodHandler:
        guard = self._guard("server_stream", STORE, "Series", series_status)

        async def handle(request: bytes, context: Any) -> None:
            guard.metrics.received.inc()
            await guard.run(context, services.series(request, context, guard.metrics))

        return grpc.unary_stream_rpc_method_handler(handle)

    def _unary(self, service: str, method: str, behaviour: Unary) -> grpc.RpcMethodHandler:
        guard = self._guard("unary", service, method)

        async def handle(request: bytes, context: Any) -> bytes:
            guard.metrics.received.inc()
            response = await guard.run(context, behaviour(request, context))
            guard.metrics.sent.inc()
            return response

        return grpc.unary_unary_rpc_method_handler(handle)

    def _health(self, servicer: Any) -> dict[str, grpc.RpcMethodHandler]:
        check = self._guard("unary", HEALTH, "Check")
        watch = self._guard("server_stream", HEALTH, "Watch")

        async def handle_check(request: Message, context: Any) -> Any:
            return await check.run(context, servicer.Check(request, context))

        async def handle_watch(request: Message, context: Any) -> None:
            await watch.run(context, servicer.Watch(request, context))

        request = health_pb2.HealthCheckRequest
        handlers = {
            "Check": grpc.unary_unary_rpc_method_handler(handle_check, _received(check, request), _sent(check)),
            "Watch": grpc.unary_stream_rpc_method_handler(handle_watch, _received(watch, request), _sent(watch)),
        }
        if hasattr(health_pb2, "HealthListRequest"):  # since grpcio-health-checking 1.72
            handlers["List"] = self._health_list(servicer)
        return handlers

    def _health_list(self, servicer: Any) -> grpc.RpcMethodHandler:
        guard = self._guard("unary", HEALTH, "List")

        async def answer(context: Any) -> Any:
            overall = await servicer.Check(health_pb2.HealthCheckRequest(), context)
            return health_pb2.HealthListResponse(statuses={"": overall})

        async def handle(request: Message, context: Any) -> Any:
            return await guard.run(context, answer(context))

        return grpc.unary_unary_rpc_method_handler(handle, _received(guard, health_pb2.HealthListRequest), _sent(guard))

    def _reflection(self, service: str, servicer: Any) -> grpc.RpcMethodHandler:
        guard = self._guard("bidi_stream", service, "ServerReflectionInfo")

        async def answer(requests: Any, context: Any) -> None:
            async for response in servicer.ServerReflectionInfo(requests, context):
                await context.write(response)

        async def handle(requests: Any, context: Any) -> None:
            await guard.run(context, answer(requests, context))

        request = reflection_pb2.ServerReflectionRequest
        return grpc.stream_stream_rpc_method_handler(handle, _received(guard, request), _sent(guard))


def _received(guard: Guard, kind: type[Message]) -> Callable[[bytes], Any]:
    def parse(data: bytes) -> Any:
        guard.metrics.received.inc()
        return kind.FromString(data)

    return parse


def _sent(guard: Guard) -> Callable[[Message], bytes]:
    def serialize(message: Message) -> bytes:
        guard.metrics.sent.inc()
        data: bytes = message.SerializeToString()
        return data

    return serialize
