"""Errors of redis-py as those of storegate. No text holds a credential: commands and their arguments are left out."""

from __future__ import annotations

from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    AuthorizationError,
    ConnectionError,
    NoPermissionError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TimeoutError,
)

from storegate import DeadlineError, DeniedError, StoregateError, UnavailableError

FAILURES = (RedisError, RedisClusterException, OSError)
"""What redis-py raises when a call fails."""

_DENIED = (AuthenticationError, AuthenticationWrongNumberOfArgsError, AuthorizationError, NoPermissionError)


def translated(error: Exception, addr: str) -> StoregateError:
    """What to raise instead."""
    where = f"redis {addr}"
    text = str(error).rstrip(".") or type(error).__name__
    if isinstance(error, _DENIED) or "unauthenticated" in text:  # what it says of long requests without a password
        return DeniedError(f"{where}: refuses access ({text.split(':')[0]}): check username and password")
    if isinstance(error, TimeoutError):
        return DeadlineError(f"{where}: {text}")
    if isinstance(error, ConnectionError | RedisClusterException | OSError):
        return UnavailableError(f"{where}: {text}")
    if isinstance(error, ResponseError):
        return StoregateError(f"{where}: refused the command: {text.split(chr(10))[0][:200]}")
    return StoregateError(f"{where}: {type(error).__name__}")
