"""The object store S3: a bucket of Amazon S3, or of a store that speaks its protocol."""

from __future__ import annotations

from collections.abc import Iterator

import storegate
from storegate_s3.config import S3Config


@storegate.hookimpl
def storegate_object_stores() -> Iterator[storegate.ObjectStoreProvider]:
    yield storegate.ObjectStoreProvider(
        name="S3",
        summary="a bucket of Amazon S3, or of a store that speaks its protocol",
        config=S3Config,
        factory="storegate_s3.store:open_store",
    )
