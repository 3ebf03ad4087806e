"""uvicorn's server, with our protocol, and with a limit for the time of TLS handshakes, for which it has no setting."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from storegate_http.config import HttpConfig
from storegate_http.protocol import Connections, LimitedProtocol
from storegate_http.tls import CurrentContext
from storegate_http.web_file import WebState

BACKLOG = 2048
TLS_SHUTDOWN_SECONDS = 5.0


class Server(uvicorn.Server):
    """Serves an application on sockets that listen already."""

    def __init__(self, app: ASGIApp, config: HttpConfig, web: Callable[[], WebState], log: Any) -> None:
        protocol = partial(LimitedProtocol, connections=Connections(config, web, log))
        super().__init__(
            uvicorn.Config(
                app,
                http=cast("type[asyncio.Protocol]", protocol),
                h11_max_incomplete_event_size=config.max_header_size,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                proxy_headers=False,
                log_level="critical",
                loop="asyncio",
            )
        )
        self._handshake_seconds = config.header_timeout
        self._tls = CurrentContext.of(lambda: _context(web())) if web().context is not None else None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen. The same as uvicorn's, but for TLS."""
        await self.lifespan.startup()

        def connect() -> asyncio.Protocol:
            config = self.config
            made: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return made

        limits: dict[str, Any] = {}
        if self._tls is not None:
            limits["ssl"] = self._tls
            limits["ssl_handshake_timeout"] = self._handshake_seconds
            limits["ssl_shutdown_timeout"] = TLS_SHUTDOWN_SECONDS
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(connect, sock=listener, backlog=BACKLOG, **limits) for listener in sockets or ()
        ]
        self.started = True


def _context(state: WebState) -> ssl.SSLContext:
    assert state.context is not None  # web_file.py: TLS does not come or go
    return state.context
