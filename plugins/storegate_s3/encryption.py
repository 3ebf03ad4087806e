"""Headers that ask the store to encrypt what it keeps, by `sse_config`."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path

from storegate import ConfigurationError
from storegate_s3.config import SseConfig

KEY_BYTES = 32
PREFIX = "x-amz-server-side-encryption"


@dataclass(frozen=True, slots=True)
class Encryption:
    """Headers for uploads, for reads, and for the parts of an upload: only SSE-C has any but the first."""

    upload: dict[str, str] = field(default_factory=dict, repr=False)
    read: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, config: SseConfig) -> Encryption:
        """Raises ConfigurationError for a key file that cannot be used."""
        if config.type == "SSE-S3":
            return cls(upload={PREFIX: "AES256"})
        if config.type == "SSE-KMS":
            headers = {PREFIX: "aws:kms", f"{PREFIX}-aws-kms-key-id": config.kms_key_id}
            if config.kms_encryption_context:
                context = json.dumps(config.kms_encryption_context, separators=(",", ":"))
                headers[f"{PREFIX}-context"] = b64encode(context.encode()).decode()
            return cls(upload=headers)
        if config.type == "SSE-C":
            key = _key(config.encryption_key)
            headers = {
                f"{PREFIX}-customer-algorithm": "AES256",
                f"{PREFIX}-customer-key": b64encode(key).decode(),
                f"{PREFIX}-customer-key-md5": b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode(),
            }
            return cls(upload=headers, read=headers)
        return cls()


def _key(path: str) -> bytes:
    try:
        key = Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"S3 bucket, sse_config.encryption_key: cannot read {path!r}: {error.strerror}"
        ) from error
    if len(key) != KEY_BYTES:
        hint = ", perhaps for a newline at its end" if key.endswith(b"\n") else ""
        raise ConfigurationError(
            f"S3 bucket, sse_config.encryption_key: {path!r} must hold a key of {KEY_BYTES} bytes, has {len(key)}{hint}"
        )
    return key
