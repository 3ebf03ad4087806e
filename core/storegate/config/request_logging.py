"""Which calls are logged: the YAML of `--request.logging-config` (operations 14), and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_RANKS = {"debug": 0, "info": 1, "warning": 2, "error": 3}
_empty_section = BeforeValidator(lambda value: {} if value is None else value)


def _level(value: str) -> str:
    if value and value.lower() not in _RANKS:
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return value.upper()


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LogDecision(_Strict):
    """Lines of one call: none, at its end, or at its start and end."""

    log_start: bool = Field(default=False, description="A line when a call starts; only with `log_end`.")
    log_end: bool = Field(default=False, description="A line when a call ends.")


class RequestLogOptions(_Strict):
    """What is logged of a call."""

    level: Annotated[str, AfterValidator(_level)] = Field(
        default="", description="Least level of lines that are kept: DEBUG, INFO, WARNING, ERROR; empty is ERROR."
    )
    decision: Annotated[LogDecision, _empty_section] = Field(
        default=LogDecision(), description="Which lines a call gets."
    )

    @model_validator(mode="after")
    def _decided(self) -> RequestLogOptions:
        if self.decision.log_start and not self.decision.log_end:
            raise ValueError("log_start without log_end is not supported: set both, or log_end alone")
        if self.decision.log_end and not self.level:
            raise ValueError("a decision needs a level: DEBUG, INFO, WARNING or ERROR")
        return self

    @property
    def given(self) -> bool:
        """Whether they say anything."""
        return bool(self.level) or self.decision.log_end


class HttpPath(_Strict):
    """A path of the HTTP API on a port, as requests name it."""

    path: str = Field(description="The whole path, such as `/api/v1/blocks`.")
    port: int = Field(ge=0, le=65535, description="Port in the request's Host header.")


class GrpcMethod(_Strict):
    """A method of a gRPC service."""

    service: str = Field(description="Full name, such as `thanos.Store`.")
    method: str = Field(description="Such as `Series`.")


class HttpRequestLog(_Strict):
    """Calls of the HTTP API."""

    options: Annotated[RequestLogOptions, _empty_section] = Field(
        default=RequestLogOptions(), description="In place of the options for both protocols."
    )
    config: tuple[HttpPath, ...] = Field(default=(), description="Only these are logged; all when empty.")


class GrpcRequestLog(_Strict):
    """Calls over gRPC."""

    options: Annotated[RequestLogOptions, _empty_section] = Field(
        default=RequestLogOptions(), description="In place of the options for both protocols."
    )
    config: tuple[GrpcMethod, ...] = Field(default=(), description="Only these are logged; all when empty.")


Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class CallLogging:
    """What is logged of the calls of one protocol. Thread-safe."""

    level: str = "error"
    start: bool = False
    end: bool = False
    allowed: frozenset[Any] = field(default_factory=frozenset)  # empty: all

    def covers(self, what: object) -> bool:
        """Whether calls of this kind are logged at all."""
        return self.end and (not self.allowed or what in self.allowed)

    def keeps(self, level: Level) -> bool:
        """Whether a line of this level is written (if `log.level` lets it)."""
        return _RANKS[level] >= _RANKS[self.level]


class RequestLogging(_Strict):
    """Lines about calls."""

    options: Annotated[RequestLogOptions, _empty_section] = Field(
        default=RequestLogOptions(), description="For both protocols."
    )
    http: Annotated[HttpRequestLog, _empty_section] = Field(
        default=HttpRequestLog(), description="Calls of the HTTP API."
    )
    grpc: Annotated[GrpcRequestLog, _empty_section] = Field(default=GrpcRequestLog(), description="Calls over gRPC.")

    def for_grpc(self) -> CallLogging:
        """The rules for gRPC; what is allowed are names such as `/thanos.Store/Series`."""
        return self._rules(self.grpc.options, (f"/{entry.service}/{entry.method}" for entry in self.grpc.config))

    def for_http(self) -> CallLogging:
        """The rules for HTTP; what is allowed are pairs of path and port."""
        return self._rules(self.http.options, ((entry.path, entry.port) for entry in self.http.config))

    def _rules(self, own: RequestLogOptions, allowed: Any) -> CallLogging:
        options = own if own.given else self.options
        decision = options.decision
        return CallLogging(options.level.lower() or "error", decision.log_start, decision.log_end, frozenset(allowed))
