"""A bucket of S3 as an object store."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import mktime_tz, parsedate_tz

from storegate import ListPage, ObjectInfo, PluginContext, UnavailableError
from storegate.http.pool import quiet
from storegate_s3.client import Client
from storegate_s3.config import S3Config
from storegate_s3.encryption import Encryption
from storegate_s3.listing import list_page, list_query
from storegate_s3.uploads import Uploader


def open_store(config: S3Config, context: PluginContext) -> S3Store:
    """Factory of the provider S3. Sends nothing. Raises ConfigurationError for files that cannot be used."""
    quiet(config.http_config, context.log, "botocore")
    return S3Store(config, Client(config, context.log))


class S3Store:
    """Objects of one bucket. Thread-safe. Each call is one attempt: the core tries again."""

    writable = True

    def __init__(self, config: S3Config, client: Client) -> None:
        self.name = config.bucket
        self.identity = f"{config.endpoint}/{config.bucket}"
        self.max_retries = config.max_retries
        encryption = Encryption.of(config.sse_config)
        self._client = client
        self._uploader = Uploader(client, config, encryption)
        self._read_headers = encryption.read
        self._list_version = config.list_objects_version or "v2"

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """See `storegate.ObjectStore.list`. Objects whose name ends with a slash (markers of folders) are left out."""
        page = self.list_page(prefix, None, recursive=recursive)
        yield from page.entries
        while page.token is not None:
            page = self.list_page(prefix, page.token, recursive=recursive)
            yield from page.entries

    def list_page(self, prefix: str, token: str | None, *, recursive: bool) -> ListPage:
        """See `storegate.SupportsListPage`."""
        query = list_query(prefix, token, recursive=recursive, version=self._list_version)
        where = f"S3 bucket {self.name!r}, listing {prefix!r}"
        page = list_page(self._client.send("GET", query=query).body, where, version=self._list_version)
        if page.token is not None and page.token == token:
            raise UnavailableError(f"{where}: the store gives the same page again and again")
        return page

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        headers = self._client.send("HEAD", key, headers=self._read_headers).headers
        size, date = headers.get("Content-Length", ""), parsedate_tz(headers.get("Last-Modified", ""))
        if not size.isdecimal() or date is None:
            raise UnavailableError(f"{key!r} in S3 bucket {self.name!r}: the answer does not tell size and time")
        return ObjectInfo(key=key, size=int(size), modified=mktime_tz(date) * 1000)

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        return self._client.send("GET", key, headers=self._read_headers).body

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        data = bytearray(length)
        got = self.read_into(key, offset, memoryview(data))
        return bytes(memoryview(data)[:got])

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """See `storegate.SupportsReadInto`."""
        if offset < 0:
            raise ValueError(f"{key!r}: offset {offset} must not be negative")
        return self._client.read_range(key, offset, buffer, self._read_headers) if buffer.nbytes else 0

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`."""
        self._uploader.put(key, data)

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`. S3 does not tell whether something was deleted, so it is asked before."""
        self.head(key)
        self._client.send("DELETE", key)

    def close(self) -> None:
        """See `storegate.ObjectStore.close`."""
        self._client.close()
