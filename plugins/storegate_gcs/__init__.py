"""The object store GCS: a bucket of Google Cloud Storage."""

from __future__ import annotations

from collections.abc import Iterator

import storegate
from storegate_gcs.config import GcsConfig


@storegate.hookimpl
def storegate_object_stores() -> Iterator[storegate.ObjectStoreProvider]:
    yield storegate.ObjectStoreProvider(
        name="GCS",
        summary="a bucket of Google Cloud Storage",
        config=GcsConfig,
        factory="storegate_gcs.store:open_store",
    )
