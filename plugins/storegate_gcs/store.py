"""A bucket of Google Cloud Storage."""

from __future__ import annotations

from collections.abc import Iterator

from storegate import ListPage, ObjectInfo, PluginContext
from storegate.http.pool import quiet
from storegate_gcs.config import GcsConfig
from storegate_gcs.connection import Connection
from storegate_gcs.errors import translated
from storegate_gcs.metadata import OBJECT_FIELDS, PAGE_FIELDS, parse_object, parse_page

PAGE = {"maxResults": "1000", "fields": PAGE_FIELDS}
WITHOUT_EFFECT = ("use_grpc", "grpc_conn_pool_size", "chunk_size_bytes")


def open_store(config: GcsConfig, context: PluginContext) -> GcsStore:
    """Factory of the provider GCS. Raises ConfigurationError."""
    quiet(config.http_config, context.log, "google")
    if unused := [key for key in WITHOUT_EFFECT if getattr(config, key)]:
        context.log.warning("GCS: keys without effect: an object is one request over HTTP", keys=unused)
    return GcsStore(config, Connection(config))


class GcsStore:
    """The objects of one bucket. Thread-safe; each call is one attempt with timeouts."""

    writable = True

    def __init__(self, config: GcsConfig, connection: Connection) -> None:
        self.name = config.bucket
        self.identity = f"{config.endpoint}/{config.bucket}"
        self.max_retries = config.max_retries
        self._connection = connection

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """See `storegate.ObjectStore.list`."""
        page = self.list_page(prefix, None, recursive=recursive)
        yield from page.entries
        while page.token is not None:
            page = self.list_page(prefix, page.token, recursive=recursive)
            yield from page.entries

    def list_page(self, prefix: str, token: str | None, *, recursive: bool) -> ListPage:
        """See `storegate.SupportsListPage`. Placeholders of empty folders (`folder/`) are left out."""
        query = {"prefix": prefix, "delimiter": "" if recursive else "/", "pageToken": token or ""}
        with translated(self.name):
            return parse_page(self._connection.metadata(**PAGE, **{key: text for key, text in query.items() if text}))

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        with translated(self.name, key):
            return parse_object(self._connection.metadata(key, fields=OBJECT_FIELDS))

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        with translated(self.name, key):
            return self._connection.media(key)

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """See `storegate.ObjectStore.get_range`."""
        data = bytearray(length)
        got = self.read_into(key, offset, memoryview(data))
        return bytes(memoryview(data)[:got])

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """See `storegate.SupportsReadInto`."""
        if offset < 0:
            raise ValueError(f"{key!r}: offset {offset} must not be negative")
        if not buffer.nbytes:
            return 0
        with translated(self.name, key):
            return self._connection.media_range(key, offset, buffer)

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`."""
        with translated(self.name, key):
            self._connection.upload(key, data)

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`."""
        with translated(self.name, key):
            self._connection.delete(key)

    def close(self) -> None:
        """See `storegate.ObjectStore.close`."""
        self._connection.close()
