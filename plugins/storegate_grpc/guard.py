"""What stands around every handler: metrics, request logging, and the one place where errors become statuses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
import grpc.aio

from storegate.errors import StoregateError
from storegate_grpc.request_log import MethodLog
from storegate_grpc.rpc_metrics import MethodMetrics

T = TypeVar("T")
Statuses = Callable[[StoregateError], tuple[grpc.StatusCode, str]]
_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class Guard:
    """Runs the handlers of one method. An error that nobody expected is logged, counted, and INTERNAL: never OK."""

    def __init__(self, metrics: MethodMetrics, statuses: Statuses, calls: MethodLog, log: Any) -> None:
        self.metrics = metrics
        self._calls = calls if calls.enabled else None
        self._statuses = statuses
        self._log = log

    async def run(self, context: Any, work: Awaitable[T]) -> T:
        """The result of `work`; ends the RPC with a status when it fails."""
        began = time.perf_counter()
        self.metrics.started.inc()
        code = grpc.StatusCode.OK
        failure: BaseException | None = None
        if self._calls is not None:
            self._calls.started(context)
        try:
            return await work
        except grpc.aio.AbortError:  # the handler, one of a library, chose the status itself
            code = _chosen(context)
            raise
        except asyncio.CancelledError:
            code = _why_cancelled(context)
            raise
        except Exception as error:
            failure = error
            code, text = self._status(error)
            await context.abort(code, text)
            raise  # not reached: abort raises
        finally:
            self.metrics.handled[code].inc()
            seconds = time.perf_counter() - began
            self.metrics.seconds.observe(seconds)
            if self._calls is not None:
                self._calls.finished(context, code, seconds, failure)

    def _status(self, error: Exception) -> tuple[grpc.StatusCode, str]:
        if isinstance(error, StoregateError):
            return self._statuses(error)
        self.metrics.panics.inc()
        self._log.error("unexpected error in a gRPC handler", method=self.metrics.name, exc_info=error)
        return grpc.StatusCode.INTERNAL, f"unexpected {type(error).__name__}; the gateway's log has the details"


def _chosen(context: Any) -> grpc.StatusCode:
    code = context.code()
    return code if isinstance(code, grpc.StatusCode) else _BY_NUMBER.get(code, grpc.StatusCode.UNKNOWN)


def _why_cancelled(context: Any) -> grpc.StatusCode:
    remaining = context.time_remaining()
    expired = remaining is not None and remaining <= 0
    return grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED
