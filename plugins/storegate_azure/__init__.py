"""The object store AZURE: a container of Azure Blob Storage."""

from __future__ import annotations

from collections.abc import Iterator

import storegate
from storegate_azure.config import AzureConfig


@storegate.hookimpl
def storegate_object_stores() -> Iterator[storegate.ObjectStoreProvider]:
    yield storegate.ObjectStoreProvider(
        name="AZURE",
        summary="a container of Azure Blob Storage",
        config=AzureConfig,
        factory="storegate_azure.store:open_store",
    )
