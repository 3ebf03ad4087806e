"""Pages of a listing: XML of the service. Pure."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from functools import lru_cache
from xml.etree import ElementTree

from storegate import ListPage, ObjectInfo
from storegate.http.answers import BodyError


def parse_page(document: bytes) -> ListPage:
    """Objects and folders in key order. Raises BodyError for what is no listing."""
    try:
        root = ElementTree.fromstring(document)
        if root.tag != "EnumerationResults":  # the page of a proxy must not pass for an empty container
            raise ValueError(f"it is <{root.tag}>")
        entries = [_entry(element) for element in root.iterfind("Blobs/*")]
    except (ElementTree.ParseError, ValueError, TypeError) as error:
        raise BodyError(f"the answer is no listing: {error}") from None
    entries.sort(key=lambda info: info.key)
    return ListPage(entries=entries, token=root.findtext("NextMarker") or None)


@lru_cache(maxsize=1024)  # files of a block are often uploaded within a second
def parse_time(text: str) -> int:
    """Milliseconds since the epoch of the times in headers and listings."""
    return int(parsedate_to_datetime(text).timestamp()) * 1000


def _entry(element: ElementTree.Element) -> ObjectInfo:
    """A `Blob` or a `BlobPrefix`."""
    key = element.findtext("Name")
    if not key:
        raise ValueError("an entry without a name")
    if element.tag == "BlobPrefix":
        return ObjectInfo(key=key)
    properties = element.find("Properties")  # a path such as "Properties/Last-Modified" is searched ten times as slowly
    if properties is None:
        raise ValueError(f"{key!r} has neither size nor time")
    size, modified = properties.findtext("Content-Length", ""), properties.findtext("Last-Modified", "")
    return ObjectInfo(key=key, size=int(size), modified=parse_time(modified))
