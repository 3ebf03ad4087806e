"""What the JSON API tells about objects. Pure. Functions raise BodyError for an answer of another form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from storegate import ListPage, ObjectInfo
from storegate.http.answers import BodyError

LISTING = "storage#objects"
OBJECT_FIELDS = "name,size,updated"
PAGE_FIELDS = f"kind,items({OBJECT_FIELDS}),prefixes,nextPageToken"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_page(document: bytes) -> ListPage:
    """A page of a listing in key order. Placeholders of empty folders (`folder/`) are left out."""
    with _expected():
        page = json.loads(document)
        if page["kind"] != LISTING:  # what a proxy says must not pass for an empty bucket
            raise ValueError(LISTING)
        entries = [_info(item) for item in page.get("items", ()) if not item["name"].endswith("/")]
        entries += [ObjectInfo(key=folder) for folder in page.get("prefixes", ())]
        entries.sort(key=lambda info: info.key)
        return ListPage(entries=entries, token=page.get("nextPageToken") or None)


def parse_object(document: bytes) -> ObjectInfo:
    """One object."""
    with _expected():
        return _info(json.loads(document))


def _info(item: dict[str, Any]) -> ObjectInfo:
    """Sizes are text, times RFC 3339."""
    updated = (datetime.fromisoformat(item["updated"]) - EPOCH) // timedelta(milliseconds=1)
    return ObjectInfo(key=item["name"], size=int(item["size"]), modified=updated)


@contextmanager
def _expected() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BodyError(f"the answer is not of the JSON API: {type(error).__name__}") from None
