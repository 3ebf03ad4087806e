"""Log lines about calls, where `--request.logging-config` asks for them (operations 14)."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import unquote

import grpc

from storegate.config.request_logging import CallLogging, Level
from storegate.logs import timestamp
from storegate_grpc.calls import open_call
from storegate_grpc.rpc_metrics import CODE_NAMES

_FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DATA_LOSS,
    }
)
_SAMPLED = 1  # flag of W3C Trace Context


class MethodLog:
    """Logs the calls of one method."""

    def __init__(self, rules: CallLogging, kind: str, service: str, method: str, log: Any) -> None:
        self.enabled = rules.covers(f"/{service}/{method}")
        self._rules = rules
        self._log = log
        self._method = {
            "protocol": "grpc",
            "grpc.component": "server",
            "grpc.service": service,
            "grpc.method": method,
            "grpc.method_type": kind,
        }

    def started(self, context: Any) -> None:
        """A call came in."""
        if self._rules.start:
            self._write("debug", "started call", self._caller(context, time.time()))

    def finished(self, context: Any, code: grpc.StatusCode, seconds: float, error: BaseException | None) -> None:
        """It ended after `seconds`."""
        level: Level = "error" if code in _FAULTS else "debug"
        if not self._rules.keeps(level):
            return
        keys = self._caller(context, time.time() - seconds)
        keys |= {"grpc.code": CODE_NAMES[code], "grpc.time_ms": round(seconds * 1000, 3)}
        if error is not None and str(error):
            keys["grpc.error"] = str(error)
        self._write(level, "finished call", keys)

    def _caller(self, context: Any, began: float) -> dict[str, Any]:
        call = open_call(context)
        keys: dict[str, Any] = {**self._method, "grpc.start_time": timestamp(int(began * 1e9))}
        keys["peer.address"] = unquote(context.peer()).partition(":")[2]
        if call.request_id:
            keys["requestID"] = call.request_id
        if trace := sampled_trace(call.traceparent):
            keys["traceID"] = trace
        return keys

    def _write(self, level: Level, message: str, keys: dict[str, Any]) -> None:
        if self._rules.keeps(level):
            getattr(self._log, level)(message, **keys)


def sampled_trace(traceparent: str) -> str:
    """The trace id of a `traceparent` that says that the trace is sampled; empty otherwise."""
    parts = traceparent.split("-")
    try:
        return parts[1] if len(parts) >= 4 and int(parts[3], 16) & _SAMPLED else ""
    except ValueError:
        return ""
