"""Uploading objects, in one request or in parts."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from contextlib import suppress
from urllib.parse import quote
from xml.sax.saxutils import escape

from storegate import StoregateError, UnavailableError
from storegate_s3.client import Client
from storegate_s3.config import S3Config
from storegate_s3.encryption import Encryption
from storegate_s3.markup import xml_text

MOST_PARTS = 10_000
STANDARD_HEADERS = re.compile(r"x-amz-.*|content-(?:type|encoding|language|disposition)|cache-control|expires")
"""Headers that mean the same to every store; others are metadata of the object."""


class Uploader:
    """Puts objects into one bucket. Thread-safe."""

    def __init__(self, client: Client, config: S3Config, encryption: Encryption) -> None:
        self._client = client
        self._md5 = config.send_content_md5
        self._part_size = config.part_size
        self._multipart = not config.disable_multipart
        self._part_headers = encryption.read
        self._headers = {
            "content-type": "application/octet-stream",
            **{_header(name): value for name, value in config.put_user_metadata.items()},
            **encryption.upload,
        }

    def put(self, key: str, data: bytes) -> None:
        """Create or replace an object, whole or not at all."""
        if self._multipart and len(data) > self._part_size:
            self._put_parts(key, data)
        else:
            self._client.send("PUT", key, headers=self._headers | self._checksum(data), body=data)

    def _put_parts(self, key: str, data: bytes) -> None:
        answer = self._client.send("POST", key, "uploads=", self._headers).body
        upload = f"uploadId={quote(self._upload_id(key, answer), safe='')}"
        try:
            size = max(self._part_size, -(-len(data) // MOST_PARTS))
            view = memoryview(data)
            tags = [
                self._put_part(key, upload, number, bytes(view[start : start + size]))
                for number, start in enumerate(range(0, len(data), size), 1)
            ]
            self._complete(key, upload, tags)
        except BaseException:
            with suppress(StoregateError):
                self._client.send("DELETE", key, upload)  # parts that nobody completes are paid for
            raise

    def _upload_id(self, key: str, answer: bytes) -> str:
        if not (found := xml_text(answer, "UploadId")):
            raise UnavailableError(f"{key!r}: the store began an upload without telling its name")
        return found

    def _put_part(self, key: str, upload: str, number: int, part: bytes) -> str:
        headers = {**self._part_headers, **self._checksum(part)}
        return self._client.send("PUT", key, f"partNumber={number}&{upload}", headers, part).headers.get("ETag", "")

    def _complete(self, key: str, upload: str, tags: list[str]) -> None:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag)}</ETag></Part>"
            for number, tag in enumerate(tags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        answer = self._client.send("POST", key, upload, {"content-type": "application/xml"}, body).body
        if code := xml_text(answer, "Code"):  # this call may fail after its status was sent
            raise UnavailableError(f"{key!r}: the store could not join the parts ({code})")

    def _checksum(self, data: bytes) -> dict[str, str]:
        if not self._md5:
            return {}
        return {"content-md5": b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()}


def _header(name: str) -> str:
    name = name.lower()
    return name if STANDARD_HEADERS.fullmatch(name) else f"x-amz-meta-{name}"
