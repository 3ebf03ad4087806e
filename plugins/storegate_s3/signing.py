"""Signatures of requests, made by botocore."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from storegate_s3.credentials import Keys


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its signature. `resource` is `/bucket/key`, encoded, wherever the URL has the bucket."""

    method: str
    url: str
    resource: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


Signer = Callable[[Request, Keys, str], dict[str, str]]
"""(request, keys, region) -> all headers to send."""


def signer(*, version2: bool) -> Signer:
    """The signer of that version. Thread-safe."""
    from botocore.auth import HmacV1Auth, S3SigV4Auth
    from botocore.awsrequest import AWSRequest

    class Signed(AWSRequest):  # type: ignore[misc]
        """Its body is bytes already: preparing it would cost as much as signing."""

        @property
        def body(self) -> bytes | None:
            body: bytes | None = self.data
            return body

    def sign(request: Request, keys: Keys, region: str) -> dict[str, str]:
        signed = Signed(
            request.method, request.url, headers=request.headers, data=request.body, auth_path=request.resource
        )
        auth = HmacV1Auth(keys) if version2 else S3SigV4Auth(keys, "s3", region)
        auth.add_auth(signed)
        return dict(signed.headers.items())

    return sign
