"""Requests that say who asks: signed with the account's key, with a shared access signature, or with a token.

`azure-storage-blob` signs only what its own client sends, at more than three times the CPU for a read and 150 us for
each entry of a listing; so the rule of the service for shared keys (REST API, "Authorize with Shared Key") is here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlencode

SIGNED = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date"),
    *("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)
"""Headers that are signed without their names, in this order; those of the service (`x-ms-`) follow with theirs."""


class Authorization(Protocol):
    """Completes requests. Thread-safe."""

    def sign(self, method: str, path: str, query: Mapping[str, str], headers: dict[str, str]) -> str:
        """Add to `headers` what is needed; path (encoded) and query to send. May raise errors of storegate."""

    def renew(self) -> bool:
        """After a request was refused (401): whether another one may be accepted."""

    def close(self) -> None:
        """Give connections back."""


class SharedKey:
    """Signs with the key of an account."""

    def __init__(self, account: str, key: bytes) -> None:
        self._account = account
        self._key = key

    def sign(self, method: str, path: str, query: Mapping[str, str], headers: dict[str, str]) -> str:
        """See `Authorization.sign`."""
        text = string_to_sign(self._account, method, path, query, headers)
        digest = hmac.digest(self._key, text.encode(), hashlib.sha256)
        headers["Authorization"] = f"SharedKey {self._account}:{base64.b64encode(digest).decode()}"
        return target(path, query)

    def renew(self) -> bool:
        """See `Authorization.renew`."""
        return False

    def close(self) -> None:
        """See `Authorization.close`."""


class SharedAccessSignature:
    """Adds a signature that somebody else made: a query string."""

    def __init__(self, signature: str) -> None:
        self._signature = signature

    def sign(self, method: str, path: str, query: Mapping[str, str], headers: dict[str, str]) -> str:
        """See `Authorization.sign`."""
        return f"{target(path, query)}{'&' if query else '?'}{self._signature}"

    def renew(self) -> bool:
        """See `Authorization.renew`."""
        return False

    def close(self) -> None:
        """See `Authorization.close`."""


def target(path: str, query: Mapping[str, str]) -> str:
    """Path and query as they are sent."""
    return f"{path}?{urlencode(query)}" if query else path


def string_to_sign(account: str, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """What the service builds of a request, too, before it compares signatures."""
    known = {name.lower(): value for name, value in headers.items()}
    own = sorted((name, value) for name, value in known.items() if name.startswith("x-ms-"))
    lines = [method, *(known.get(name, "") for name in SIGNED), *(f"{name}:{value}" for name, value in own)]
    lines += [f"/{account}{path}", *(f"{name.lower()}:{value}" for name, value in sorted(query.items()))]
    return "\n".join(lines)
