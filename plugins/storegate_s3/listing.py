"""One page of a listing: the request and the answer of both versions of the call."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote, unquote_plus
from xml.etree import ElementTree

from storegate import UnavailableError
from storegate.types import ListPage, ObjectInfo


def list_query(prefix: str, token: str | None, *, recursive: bool, version: str) -> str:
    """The encoded query of a page: the first one for no token."""
    query = {"encoding-type": "url", "prefix": prefix}
    if not recursive:
        query["delimiter"] = "/"
    if version == "v2":
        query["list-type"] = "2"
    if token is not None:
        query["marker" if version == "v1" else "continuation-token"] = token
    return "&".join(f"{name}={quote(query[name], safe='')}" for name in sorted(query))


def list_page(body: bytes, where: str, *, version: str) -> ListPage:
    """The page that a store answered. Raises UnavailableError for an answer that is no listing."""
    try:
        root = ElementTree.fromstring(body)
        if not root.tag.endswith("ListBucketResult"):
            raise ValueError(root.tag)
        namespace = root.tag.removesuffix("ListBucketResult")
        encoded = root.findtext(f"{namespace}EncodingType") == "url"
        entries = _entries(root, namespace, encoded)
        token = _next_token(root, namespace, encoded, entries, version)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnavailableError(f"{where}: the answer is no listing") from error
    return ListPage(
        entries=[entry for entry in entries if entry.size is None or not entry.key.endswith("/")], token=token
    )


def _entries(root: ElementTree.Element, namespace: str, encoded: bool) -> list[ObjectInfo]:
    """Objects and folders in key order, markers of folders (`a/`, an object) among them."""
    entries = []
    for element in root.iter(f"{namespace}Contents"):
        fields = {child.tag: child.text or "" for child in element}
        entries.append(
            ObjectInfo(
                key=_name(fields[f"{namespace}Key"], encoded),
                size=int(fields[f"{namespace}Size"]),
                modified=int(datetime.fromisoformat(fields[f"{namespace}LastModified"]).timestamp() * 1000),
            )
        )
    for element in root.iter(f"{namespace}CommonPrefixes"):
        entries.append(ObjectInfo(key=_name(element.findtext(f"{namespace}Prefix") or "", encoded)))
    return sorted(entries, key=lambda entry: entry.key)


def _next_token(
    root: ElementTree.Element, namespace: str, encoded: bool, entries: list[ObjectInfo], version: str
) -> str | None:
    if root.findtext(f"{namespace}IsTruncated") != "true":
        return None
    if version == "v2":
        return _needed(root.findtext(f"{namespace}NextContinuationToken"))
    marker = root.findtext(f"{namespace}NextMarker")  # given with a delimiter only
    return _name(marker, encoded) if marker else _needed(entries[-1].key if entries else None)


def _needed(token: str | None) -> str:
    if not token:
        raise ValueError("more is promised, and nothing says how to get it")
    return token


def _name(text: str, encoded: bool) -> str:
    return unquote_plus(text, errors="strict") if encoded else text
