"""One connection: uvicorn's HTTP/1.1 protocol with limits for what a client may keep it waiting for."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any

import h11
from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from storegate_http.config import HttpConfig
from storegate_http.tls import names_of
from storegate_http.web_file import WebState

_LOG = logging.getLogger("storegate.http")
_LOG.setLevel(logging.ERROR)  # uvicorn warns of each malformed request: a stranger could fill the log


class ClientGoneError(ClientDisconnect, ConnectionError):
    """The client closed the connection, or was cut off, before it had the whole answer."""


class Connections:
    """What all connections of a server share. Used on its event loop."""

    def __init__(self, config: HttpConfig, web: Callable[[], WebState], log: Any) -> None:
        self.config = config
        self.web = web
        self.log = log
        self.open: set[LimitedProtocol] = set()
        self.idle: dict[LimitedProtocol, None] = {}
        """Those that wait for the headers of a request, the longest-waiting first."""

    def make_room(self) -> bool:
        """Before one more connection: end the longest-idle one when there are too many; False when none is idle."""
        if len(self.open) < self.config.max_connections:
            return True
        oldest = next(iter(self.idle), None)
        if oldest is None:
            return False
        oldest.cut()
        return True


class LimitedProtocol(H11Protocol):
    """Cuts off clients that send headers or a body too slowly, take no answer, or idle; answers 431 to large headers.

    uvicorn itself only limits how long a connection may be idle between two requests.
    """

    def __init__(self, *arguments: Any, connections: Connections, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.logger = _LOG
        self._shared = connections
        self._limits = connections.config
        self._phase = ""
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._application = self.app
        self.app = self._answer

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        """Run the application. Its next `send` fails when the client has gone: uvicorn would let it go on for ever."""
        cycle = self.cycle

        async def send_or_raise(message: Any) -> None:
            if not cycle.disconnected:
                await send(message)
            if cycle.disconnected:
                raise ClientGoneError

        await self._application(scope, receive, send_or_raise)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self._shared.make_room() or not self._client_is_allowed():
            transport.abort()
            return
        self._shared.open.add(self)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._shared.open.discard(self)
        self._shared.idle.pop(self, None)
        self._stop_timers()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unset_keepalive_if_required()  # uvicorn's own timer: that of the phase knows more
        if self.transport.is_closing():
            self._await_writing()
        else:
            self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None and not self.transport.is_closing():
            self._write_timer.cancel()
            self._write_timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; the error that uvicorn is handling says whether the headers were too large."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.cut()  # the answer is under way, so there is no way to say it
            return
        if self.cycle is not None:  # the application may be at work on the headers; its answer has no taker any more
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        status = getattr(sys.exc_info()[1], "error_status_hint", 400)
        body = b"Request header too large" if status == 431 else msg.encode("ascii")
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        response = h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status])
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._await_writing()

    def cut(self) -> None:
        """End the connection at once, whatever it is doing."""
        self._shared.open.discard(self)
        self._shared.idle.pop(self, None)
        self._stop_timers()
        self.transport.abort()

    def _watch(self) -> None:
        """Start the clock of the phase that the connection has come to."""
        phase, seconds = self._phase_now()
        if phase == self._phase:
            return
        self._phase = phase
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds:
            self._timer = self.loop.call_later(seconds, self._close_idle if phase == "idle" else self.cut)
        self._shared.idle.pop(self, None)
        if phase in ("idle", "headers"):
            self._shared.idle[self] = None

    def _phase_now(self) -> tuple[str, float]:
        """What the client is to do next, and the seconds it has for it; 0 is no limit."""
        if self.transport.is_closing():
            return "closing", 0.0
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            return "body", self._limits.body_timeout
        if state is not h11.IDLE:
            return "answer", 0.0
        begun = self.cycle is None or self._phase == "headers" or bool(self.conn.trailing_data[0])
        return ("headers", self._limits.header_timeout) if begun else ("idle", self._limits.idle_timeout)

    def _close_idle(self) -> None:
        self.timeout_keep_alive_handler()
        self._await_writing()

    def _await_writing(self) -> None:
        """Give the client some time to take what is written. `close` alone would wait for ever."""
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._limits.write_timeout, self.cut)

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._write_timer):
            if timer is not None:
                timer.cancel()

    def _client_is_allowed(self) -> bool:
        allowed = self._shared.web().allowed_names
        if not allowed or allowed & names_of(self.transport.get_extra_info("peercert")):
            return True
        self._shared.log.warning("a client certificate has none of the allowed names", peer=self.client)
        return False
