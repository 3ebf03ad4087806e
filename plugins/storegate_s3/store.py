"""A bucket of S3 as an object store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import mktime_tz, parsedate_tz

from urllib3 import BaseHTTPResponse

from storegate import ObjectInfo, PluginContext, UnavailableError
from storegate.types import ListPage
from storegate_s3.client import Client
from storegate_s3.config import S3Config
from storegate_s3.encryption import Encryption
from storegate_s3.listing import list_page, list_query
from storegate_s3.reading import declared_size, range_header, range_size, read_body, read_body_into
from storegate_s3.uploads import Uploader

AFTER_THE_END = 416  # status


def open_store(config: S3Config, context: PluginContext) -> S3Store:
    """Factory of the provider S3. Sends nothing. Raises ConfigurationError for files that cannot be used."""
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
        _, body = self._client.send("GET", query=query)
        where = f"bucket {self.name!r}, listing {prefix!r}"
        page = list_page(body, where, version=self._list_version)
        if page.token is not None and page.token == token:
            raise UnavailableError(f"{where}: the store gives the same page again and again")
        return page

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        with self._client.stream("HEAD", key, headers=self._read_headers) as response:
            size = declared_size(response)
            date = parsedate_tz(response.headers.get("Last-Modified", ""))
        if size is None:
            raise UnavailableError(f"{key!r} in bucket {self.name!r}: the store does not tell the size")
        return ObjectInfo(key=key, size=size, modified=mktime_tz(date) * 1000 if date is not None else None)

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        with self._client.stream("GET", key, headers=self._read_headers) as response:
            return read_body(response, key, declared_size(response))

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        with self._range(key, offset, length) as answer:
            return b"" if answer is None else read_body(*answer)

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """See `storegate.SupportsReadInto`."""
        view = buffer.cast("B")
        with self._range(key, offset, len(view)) as answer:
            if answer is None:
                return 0
            response, key, size = answer
            read_body_into(response, key, view[:size])
            return size

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

    @contextmanager
    def _range(self, key: str, offset: int, length: int) -> Iterator[tuple[BaseHTTPResponse, str, int] | None]:
        """The answer, the key and the number of bytes that it holds; None where there are none to read."""
        if offset < 0 or length < 0:
            raise ValueError(f"{key!r}: offset {offset} and length {length} must not be negative")
        if length == 0:
            yield None
            return
        headers = {**self._read_headers, "range": range_header(offset, length)}
        with self._client.stream("GET", key, headers=headers) as response:
            if response.status == AFTER_THE_END:
                response.read()
                yield None
            else:
                yield response, key, range_size(response, key, offset, length)
