"""Users and passwords: HTTP Basic authentication against bcrypt hashes (operations 16.2)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from cachetools import LRUCache

CHECKS_AT_ONCE = 2  # threads; each computes a hash, some 50 ms of a core for a cost of 10
CHECKS_WAITING = 64
REMEMBERED = 256  # credentials that were found to be right
MAX_PASSWORD = 72  # bytes; bcrypt looks at no more
NOBODY = "$2b${cost}$" + "." * 53


class Credentials(NamedTuple):
    user: str
    password: bytes


class TooBusyError(Exception):
    """Too many passwords wait to be checked."""


class PasswordChecker:
    """Checks passwords on threads of its own, off the event loop; used on one event loop.

    Right answers are remembered, by a keyed hash of user, password and stored hash, so that a changed password counts
    at once. Wrong ones cost a whole computation, and so does an unknown user, with the cost of the hashes that are
    there: time does not tell users from strangers.
    """

    def __init__(self, verify: Callable[[bytes, bytes], bool] | None = None) -> None:
        self._verify = verify or _bcrypt_verify
        self._pool = ThreadPoolExecutor(CHECKS_AT_ONCE, thread_name_prefix="password")
        self._key = secrets.token_bytes(32)
        self._right: LRUCache[bytes, bool] = LRUCache(REMEMBERED)
        self._running: dict[bytes, asyncio.Future[bool]] = {}

    async def accepts(self, given: Credentials, users: Mapping[str, bytes]) -> bool:
        """Whether the password is that of the user. Raises TooBusyError."""
        stored = users.get(given.user)
        hashed = stored if stored is not None else _like(users)
        mark = self._mark(given, hashed, stored is not None)
        if mark in self._right:
            return True
        correct = await self._compute(mark, given.password[:MAX_PASSWORD], hashed) and stored is not None
        if correct:
            self._right[mark] = True
        return correct

    def close(self) -> None:
        """End the threads; checks that wait are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _compute(self, mark: bytes, password: bytes, hashed: bytes) -> bool:
        """One computation serves all requests that wait for the same answer."""
        running = self._running.get(mark)
        if running is None:
            if len(self._running) >= CHECKS_AT_ONCE + CHECKS_WAITING:
                raise TooBusyError
            running = asyncio.wrap_future(self._pool.submit(self._verify, password, hashed))
            self._running[mark] = running
            running.add_done_callback(lambda _: self._running.pop(mark, None))
        return await asyncio.shield(running)

    def _mark(self, given: Credentials, hashed: bytes, known: bool) -> bytes:
        parts = (given.user.encode(errors="surrogateescape"), given.password, hashed, b"1" if known else b"0")
        digest = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()


def parse_basic(header: bytes) -> Credentials | None:
    """What an Authorization header holds; None when it is not of the kind `Basic`, or not well-formed."""
    scheme, _, value = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        decoded = base64.b64decode(value.strip(), validate=True)
    except binascii.Error:
        return None
    user, colon, password = decoded.partition(b":")
    return Credentials(user.decode(errors="surrogateescape"), password) if colon else None


def _like(users: Mapping[str, bytes]) -> bytes:
    """A hash that no password has, as dear to check as the first of the real ones."""
    first = next(iter(users.values()), b"$2b$10$")
    return NOBODY.replace("{cost}", first.split(b"$")[2].decode()).encode()


def _bcrypt_verify(password: bytes, hashed: bytes) -> bool:
    import bcrypt

    try:
        return bcrypt.checkpw(password, hashed)
    except ValueError:  # a password that holds a zero byte, to some versions of the library
        return False
