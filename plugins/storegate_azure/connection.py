"""Requests to the Blob service of an account, about one container."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from typing import TypeVar
from urllib.parse import quote, urlsplit

from storegate import ConfigurationError
from storegate.http.answers import StatusError
from storegate.http.pool import HttpPool, Reply, byte_range
from storegate_azure.account import Account
from storegate_azure.config import AzureConfig
from storegate_azure.signing import Authorization, SharedAccessSignature, SharedKey

T = TypeVar("T")

API_VERSION = "2019-07-07"
"""Has all that is needed, and is known to sovereign clouds, Azure Stack and Azurite."""
WHERE = "AZURE container"


class Connection:
    """Thread-safe. Raises StatusError, BodyError, errors of urllib3, and of storegate where no token can be had.

    Each call is one request, and one more where a token is refused before its time. Raises ConfigurationError for keys,
    TLS files and URLs that cannot be used.
    """

    def __init__(self, config: AzureConfig) -> None:
        account = Account.of(config)
        timeout = config.pipeline_config.try_timeout or None
        self._pool = HttpPool(config.http_config, account.url, WHERE, read_timeout=timeout)
        self._container = f"{urlsplit(account.url).path}/{quote(config.container)}"
        self._authorization = _authorization(config, account)

    def list_page(self, prefix: str, marker: str, delimiter: str) -> bytes:
        """A page of the objects; XML."""
        query = {"restype": "container", "comp": "list", "prefix": prefix, "marker": marker, "delimiter": delimiter}
        return self._send("GET", "", {name: value for name, value in query.items() if value}).body

    def properties(self, key: str) -> Reply:
        """Headers of an object."""
        return self._send("HEAD", key)

    def read(self, key: str) -> bytes:
        """The whole object."""
        return self._send("GET", key).body

    def read_range(self, key: str, offset: int, buffer: memoryview) -> int:
        """Fill `buffer`, of at least one byte, from `offset`; the number of bytes that came."""

        def attempt() -> int:
            target, headers = self._signed("GET", key, {}, {"Range": byte_range(offset, buffer.nbytes)})
            return self._pool.read_range(target, headers, offset, buffer)

        return self._with_fresh_token(attempt)

    def upload(self, key: str, data: bytes) -> None:
        """Create or replace an object."""
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}
        self._send("PUT", key, headers=headers, body=data)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._send("DELETE", key)

    def create_container(self) -> None:
        """Create the container, or find that it is there."""
        try:
            self._send("PUT", "", {"restype": "container"}, body=b"")
        except StatusError as error:
            if error.status != 409:  # somebody else was faster
                raise

    def close(self) -> None:
        """Give connections back."""
        self._pool.close()
        self._authorization.close()

    def _send(
        self,
        method: str,
        key: str,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        length = {"Content-Length": str(len(body))} if body else {}  # it is signed

        def attempt() -> Reply:
            target, signed = self._signed(method, key, query or {}, {**length, **(headers or {})})
            return self._pool.send(method, target, signed, body)

        return self._with_fresh_token(attempt)

    def _signed(
        self, method: str, key: str, query: dict[str, str], headers: dict[str, str]
    ) -> tuple[str, dict[str, str]]:
        """Path with query, and headers, of a request; an empty `key` is the container."""
        path = f"{self._container}/{quote(key)}" if key else self._container
        headers = {**headers, "x-ms-version": API_VERSION, "x-ms-date": formatdate(usegmt=True)}
        return self._authorization.sign(method, path, query, headers), headers

    def _with_fresh_token(self, attempt: Callable[[], T]) -> T:
        """What `attempt` gives, or gives with a new token after one was refused."""
        try:
            return attempt()
        except StatusError as error:
            if error.status != 401 or not self._authorization.renew():
                raise
        return attempt()


def _authorization(config: AzureConfig, account: Account) -> Authorization:
    if account.key:
        return SharedKey(account.name, account.key)
    if account.signature:
        return SharedAccessSignature(account.signature)
    if not account.url.startswith("https://"):
        raise ConfigurationError(f"{WHERE}: endpoint: tokens are sent over https only, not to {account.url!r}")
    from storegate_azure.tokens import BearerToken, find_credential  # azure-identity costs 30 MB

    return BearerToken(find_credential(config))
