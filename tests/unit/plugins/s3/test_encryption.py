"""Headers of server-side encryption."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from storegate import ConfigurationError
from storegate_s3.config import SseConfig
from storegate_s3.encryption import Encryption

PREFIX = "x-amz-server-side-encryption"
KEY = bytes(range(32))


def test_nothing_is_asked_for_by_default() -> None:
    assert Encryption.of(SseConfig()) == Encryption()


def test_sse_s3_is_asked_for_in_uploads() -> None:
    assert Encryption.of(SseConfig(type="SSE-S3")) == Encryption(upload={PREFIX: "AES256"})


def test_sse_kms_names_the_key_and_its_context() -> None:
    config = SseConfig(type="SSE-KMS", kms_key_id="key/1", kms_encryption_context={"team": "metrics"})
    headers = Encryption.of(config).upload
    assert (headers[PREFIX], headers[f"{PREFIX}-aws-kms-key-id"]) == ("aws:kms", "key/1")
    assert b64decode(headers[f"{PREFIX}-context"]) == b'{"team":"metrics"}'
    assert Encryption.of(config).read == {}


def test_sse_c_sends_the_key_with_uploads_and_reads(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY)
    encryption = Encryption.of(SseConfig(type="SSE-C", encryption_key=str(tmp_path / "key")))
    assert encryption.upload == encryption.read
    assert encryption.read == {
        f"{PREFIX}-customer-algorithm": "AES256",
        f"{PREFIX}-customer-key": b64encode(KEY).decode(),
        f"{PREFIX}-customer-key-md5": b64encode(hashlib.md5(KEY).digest()).decode(),
    }
    assert b64encode(KEY).decode() not in repr(encryption)


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot read"), (KEY + b"\n", "has 33, perhaps for a newline"), (b"short", "has 5")]
)
def test_a_key_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=words) as caught:
        Encryption.of(SseConfig(type="SSE-C", encryption_key=str(path)))
    assert str(path) in str(caught.value)
