"""A container of Azure Blob Storage."""

from __future__ import annotations

from collections.abc import Iterator

from storegate import DeniedError, ListPage, ObjectInfo, PluginContext
from storegate.http.answers import BodyError
from storegate.http.pool import quiet
from storegate_azure.account import Account
from storegate_azure.config import AzureConfig
from storegate_azure.connection import Connection
from storegate_azure.errors import ContainerMissing, translated
from storegate_azure.listing import parse_page, parse_time


def open_store(config: AzureConfig, context: PluginContext) -> AzureStore:
    """Factory of the provider AZURE. Raises ConfigurationError."""
    quiet(config.http_config, context.log, "azure", "msal")
    if config.msi_resource:
        context.log.warning("AZURE: msi_resource is ignored; user_assigned_id chooses an identity")
    return AzureStore(config, Connection(config))


class AzureStore:
    """The blobs of one container. Thread-safe; each call is one attempt with timeouts."""

    writable = True

    def __init__(self, config: AzureConfig, connection: Connection) -> None:
        self.name = config.container
        self.identity = f"{Account.of(config).url}/{config.container}"
        self.max_retries = config.attempts
        self._creates = config.storage_create_container
        self._connection = connection

    def list(self, prefix: str = "", *, recursive: bool = False) -> Iterator[ObjectInfo]:
        """See `storegate.ObjectStore.list`."""
        page = self.list_page(prefix, None, recursive=recursive)
        yield from page.entries
        while page.token is not None:
            page = self.list_page(prefix, page.token, recursive=recursive)
            yield from page.entries

    def list_page(self, prefix: str, token: str | None, *, recursive: bool) -> ListPage:
        """See `storegate.SupportsListPage`. A container that does not exist is created, if the settings say so."""
        try:
            with translated(self.name):
                return parse_page(self._connection.list_page(prefix, token or "", "" if recursive else "/"))
        except ContainerMissing as missing:
            self._create_container(missing)
            return ListPage(entries=())

    def head(self, key: str) -> ObjectInfo:
        """See `storegate.ObjectStore.head`."""
        with translated(self.name, key):
            headers = self._connection.properties(key).headers
            try:
                size, modified = int(headers["Content-Length"]), parse_time(headers["Last-Modified"])
            except (KeyError, ValueError):
                raise BodyError("the answer tells neither size nor time") from None
            return ObjectInfo(key=key, size=size, modified=modified)

    def get(self, key: str) -> bytes:
        """See `storegate.ObjectStore.get`."""
        with translated(self.name, key):
            return self._connection.read(key)

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
            return self._connection.read_range(key, offset, buffer)

    def put(self, key: str, data: bytes) -> None:
        """See `storegate.ObjectStore.put`. A container that does not exist is created, if the settings say so."""
        try:
            with translated(self.name, key):
                return self._connection.upload(key, data)
        except ContainerMissing as missing:
            self._create_container(missing)
        with translated(self.name, key):
            self._connection.upload(key, data)

    def delete(self, key: str) -> None:
        """See `storegate.ObjectStore.delete`."""
        with translated(self.name, key):
            self._connection.delete(key)

    def close(self) -> None:
        """See `storegate.ObjectStore.close`."""
        self._connection.close()

    def _create_container(self, missing: ContainerMissing) -> None:
        if not self._creates:
            raise missing
        try:
            with translated(self.name):
                self._connection.create_container()
        except DeniedError as denied:
            raise ContainerMissing(f"{missing}; storage_create_container was refused: {denied}") from None
