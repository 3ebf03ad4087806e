"""A bucket of Google Cloud Storage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from storegate import ListPage, ObjectInfo, PluginContext
from storegate.http.pool import quiet
from storegate_gcs.config import GcsConfig
from storegate_gcs.connection import Connection
from storegate_gcs.errors import translated

OBJECT_FIELDS = "name,size,updated"
PAGE = {"maxResults": "1000", "fields": f"items({OBJECT_FIELDS}),prefixes,nextPageToken"}
WITHOUT_EFFECT = ("use_grpc", "grpc_conn_pool_size", "chunk_size_bytes")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
            page = json.loads(
                self._connection.metadata(**PAGE, **{name: value for name, value in query.items() if value})
            )
        entries = [_info(item) for item in page.get("items", ()) if not item["name"].endswith("/")]
        entries += [ObjectInfo(key=folder) for folder in page.get("prefixes", ())]
        entries.sort(key=lambda info: info.key)
        return ListPage(entries=entries, token=page.get("nextPageToken") or None)

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        with translated(self.name, key):
            return _info(json.loads(self._connection.metadata(key, fields=OBJECT_FIELDS)))

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


def _info(item: dict[str, Any]) -> ObjectInfo:
    """An entry of the JSON API: sizes are text, times RFC 3339."""
    updated = (datetime.fromisoformat(item["updated"]) - EPOCH) // timedelta(milliseconds=1)
    return ObjectInfo(key=item["name"], size=int(item["size"]), modified=updated)
