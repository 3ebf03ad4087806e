"""Requests to Google Cloud Storage (its JSON API), with credentials.

Google's own client would spend three times as long on a small read, has no public way to take TLS files, and asks for
the bucket's metadata in the background, which needs a permission of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

import requests
from google.auth.transport.requests import Request

from storegate.http.answers import StatusError
from storegate.http.pool import HttpPool, byte_range
from storegate_gcs.config import GcsConfig
from storegate_gcs.credentials import Authorization, load_credentials, universe_of

T = TypeVar("T")

EMULATOR = "STORAGE_EMULATOR_HOST"
"""The variable that Google's SDKs read: `host:port` or the URL of a server that wants no credentials."""


class Connection:
    """One bucket on its server. Thread-safe. Raises errors of google-auth, of `storegate.http` and of urllib3.

    Each call is one request, and one more where a token is refused before its time. Raises ConfigurationError for
    credentials and TLS files that cannot be used.
    """

    def __init__(self, config: GcsConfig) -> None:
        emulator = "" if config.endpoint else os.environ.get(EMULATOR, "")
        endpoint = config.endpoint or (emulator if "://" in emulator or not emulator else f"http://{emulator}")
        credentials = load_credentials(config, endpoint, emulator=bool(emulator))
        self._endpoint = endpoint or f"https://storage.{universe_of(credentials)}"
        self._path = urlsplit(self._endpoint).path.rstrip("/")
        self._bucket = f"storage/v1/b/{quote(config.bucket, safe='')}/o"
        self._pool = HttpPool(config.http_config, self._endpoint, "GCS bucket")
        self._token_session = requests.Session()
        self._authorization = Authorization(credentials, Request(self._token_session))

    def metadata(self, key: str = "", **query: str) -> bytes:
        """What the server tells about an object, or a page of all; JSON."""
        return self._send("GET", self._target(key, **query))

    def media(self, key: str) -> bytes:
        """The whole object."""
        return self._send("GET", self._target(key, "/download", alt="media"))

    def media_range(self, key: str, offset: int, buffer: memoryview) -> int:
        """Fill `buffer`, of at least one byte, from `offset`; the number of bytes that came."""
        target, wanted = self._target(key, "/download", alt="media"), byte_range(offset, buffer.nbytes)
        return self._authorized(
            lambda headers: self._pool.read_range(target, {**headers, "Range": wanted}, offset, buffer)
        )

    def upload(self, key: str, data: bytes) -> None:
        """Create or replace an object."""
        self._send("POST", self._target("", "/upload", uploadType="media", name=key), data)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._send("DELETE", self._target(key))

    def close(self) -> None:
        """Give connections back."""
        self._pool.close()
        self._token_session.close()

    def _target(self, key: str, service: str = "", **query: str) -> str:
        path = f"{self._path}{service}/{self._bucket}" + (f"/{quote(key, safe='')}" if key else "")
        return f"{path}?{urlencode(query)}" if query else path

    def _send(self, method: str, target: str, body: bytes | None = None) -> bytes:
        more = {} if body is None else {"Content-Type": "application/octet-stream"}
        return self._authorized(lambda headers: self._pool.send(method, target, {**headers, **more}, body).body)

    def _authorized(self, request: Callable[[dict[str, str]], T]) -> T:
        """What `request` gives with headers of these credentials; again with a new token when one is refused."""
        headers = self._authorization.headers(self._endpoint)
        try:
            return request(headers)
        except StatusError as error:
            if error.status != 401 or not self._authorization.renew(headers):
                raise
        return request(self._authorization.headers(self._endpoint))
