"""The state that the file of `--http.config` describes, read again when the file, or one that it names, changes."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

from storegate.errors import ConfigurationError
from storegate.tls import Reloaded
from storegate_http.rate_limit import RateLimiter
from storegate_http.tls import files_of, server_context
from storegate_http.web_config import SOURCE, read_web_config


class WebState(NamedTuple):
    """What connections and requests go by."""

    context: ssl.SSLContext | None = None
    allowed_names: frozenset[str] = frozenset()
    """Client certificates must have one of these alternative names; empty: any."""
    users: dict[str, bytes] = {}  # noqa: RUF012, never changed
    """bcrypt hashes by user; empty: everybody is let in."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    limiter: RateLimiter | None = None


def open_web_file(path: Path | None, log: Any) -> Callable[[], WebState]:
    """A function that gives the state of the moment; it is quick, and safe on any thread.

    Raises ConfigurationError when the file cannot be used now. Later a bad file is logged, and the last good state
    stays. Whether TLS is spoken cannot change: the ports of probes would not say which of both they expect.
    """
    if path is None:
        nothing = WebState()
        return lambda: nothing
    current = _WebFile(path, log).current
    if current().context is not None:
        log.info("TLS is on; HTTP/2 is not spoken, clients use HTTP/1.1")
    return current


class _WebFile:
    def __init__(self, path: Path, log: Any) -> None:
        self._path = path
        self._speaks_tls: bool | None = None
        self._limit: tuple[float, int] | None = None
        self._limiter: RateLimiter | None = None
        self._state = Reloaded(f"{SOURCE} {path}", self._read, log)
        self.current = self._state.current

    def _read(self) -> tuple[WebState, Collection[Path]]:
        config = read_web_config(self._path)
        tls = config.tls_server_config
        if self._speaks_tls is None:
            self._speaks_tls = tls.enabled
        if self._speaks_tls != tls.enabled:
            raise ConfigurationError(
                f"{SOURCE} ({self._path}): TLS cannot be turned {'on' if tls.enabled else 'off'} while the gateway"
                " runs: start it again"
            )
        state = WebState(
            context=server_context(tls) if tls.enabled else None,
            allowed_names=frozenset(tls.client_allowed_sans),
            users={user: secret.get_secret_value().encode() for user, secret in config.basic_auth_users.items()},
            headers=config.http_server_config.headers.pairs(),
            limiter=self._limiter_for(config.rate_limit.interval, config.rate_limit.burst),
        )
        return state, [self._path, *files_of(tls)]

    def _limiter_for(self, interval: float, burst: int) -> RateLimiter | None:
        """The same one while its rule is the same: a new file must not fill its bucket."""
        if (interval, burst) != self._limit:
            self._limit = (interval, burst)
            self._limiter = RateLimiter(interval, max(1, burst)) if interval else None
        return self._limiter
