"""Where a bucket is: host name and URL by endpoint, region and kind of lookup. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from storegate_s3.config import S3Config

DEFAULT_REGION = "us-east-1"
REGION = re.compile(r"[a-z0-9-]{1,40}")

_REGIONAL = re.compile(
    r"s3[.-](?:dualstack\.)?(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.)?(?P<domain>amazonaws\.com(?:\.cn)?)"
)
_ANY_REGION = re.compile(r"[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.(?:vpce\.)?amazonaws\.com")
_HOSTS_BUCKETS = re.compile(r"(?:.+\.)?(?:amazonaws\.com(?:\.cn)?|storage\.googleapis\.com|aliyuncs\.com)(?::\d+)?")
"""Providers that serve each bucket under a host name of its own."""
_HOST_LABEL = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The host of a store. `amazon` is its domain where the host follows from the region, else empty."""

    scheme: str
    host: str
    bucket: str
    region: str  # that the configuration or the host name tells; empty when neither does
    amazon: str
    dualstack: bool
    virtual_hosted: bool

    @classmethod
    def of(cls, config: S3Config) -> Endpoint:
        """The endpoint that the settings name."""
        regional = _REGIONAL.fullmatch(config.endpoint)
        told = regional or _ANY_REGION.search(config.endpoint)
        lookup = config.bucket_lookup_type
        return cls(
            scheme="http" if config.insecure else "https",
            host=config.endpoint,
            bucket=config.bucket,
            region=config.region or (told and told["region"]) or "",
            amazon=regional["domain"] if regional else "",
            dualstack=not config.disable_dualstack,
            virtual_hosted=lookup == "virtual-hosted" or (lookup == "auto" and _can_be_hosted(config)),
        )

    def place(self, region: str) -> tuple[str, str]:
        """Origin (`scheme://host`) and path of the bucket, for a client that knows its region."""
        host = self._host_in(region)
        if self.virtual_hosted:
            return f"{self.scheme}://{self.bucket}.{host}", ""
        return f"{self.scheme}://{host}", f"/{self.bucket}"

    def asking_place(self) -> tuple[str, str]:
        """Where the region can be asked for: Amazon answers under a path, whatever the region."""
        if self.amazon:
            return f"{self.scheme}://{self._host_in(DEFAULT_REGION)}", f"/{self.bucket}"
        return self.place(DEFAULT_REGION)

    def _host_in(self, region: str) -> str:
        if not self.amazon:
            return self.host
        if self.amazon.endswith(".cn") and region == DEFAULT_REGION:
            region = "cn-north-1"
        return f"s3.{'dualstack.' if self.dualstack else ''}{region}.{self.amazon}"


def _can_be_hosted(config: S3Config) -> bool:
    """Whether the bucket's name fits into the host name, and into a certificate for one level of names."""
    return bool(_HOSTS_BUCKETS.fullmatch(config.endpoint) and _HOST_LABEL.fullmatch(config.bucket))
