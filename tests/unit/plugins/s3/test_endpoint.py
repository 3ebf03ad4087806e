"""Where a bucket is."""

from __future__ import annotations

from typing import Any

import pytest

from storegate_s3.config import S3Config
from storegate_s3.endpoint import Endpoint


def endpoint(host: str, **settings: Any) -> Endpoint:
    return Endpoint.of(S3Config.model_validate({"bucket": "metrics", "endpoint": host} | settings))


def url_of(place: tuple[str, str]) -> str:
    origin, path = place
    return origin + path


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("s3.amazonaws.com", "https://metrics.s3.dualstack.eu-west-1.amazonaws.com"),
        ("s3.eu-central-1.amazonaws.com", "https://metrics.s3.dualstack.eu-west-1.amazonaws.com"),
        ("s3-us-west-2.amazonaws.com", "https://metrics.s3.dualstack.eu-west-1.amazonaws.com"),
        ("s3.dualstack.us-west-2.amazonaws.com", "https://metrics.s3.dualstack.eu-west-1.amazonaws.com"),
        ("s3.cn-north-1.amazonaws.com.cn", "https://metrics.s3.dualstack.eu-west-1.amazonaws.com.cn"),
        ("s3-fips.us-gov-west-1.amazonaws.com", "https://metrics.s3-fips.us-gov-west-1.amazonaws.com"),
        (
            "bucket.vpce-1a2b-c3.s3.us-east-1.vpce.amazonaws.com",
            "https://metrics.bucket.vpce-1a2b-c3.s3.us-east-1.vpce.amazonaws.com",
        ),
        ("s3.amazonaws.com:8443", "https://metrics.s3.amazonaws.com:8443"),
        ("storage.googleapis.com", "https://metrics.storage.googleapis.com"),
        ("oss-eu-central-1.aliyuncs.com", "https://metrics.oss-eu-central-1.aliyuncs.com"),
        ("MinIO:9000", "https://minio:9000/metrics"),
        ("10.0.0.1", "https://10.0.0.1/metrics"),
        ("[::1]:9000", "https://[::1]:9000/metrics"),
        ("amazonaws.com.evil.example", "https://amazonaws.com.evil.example/metrics"),
    ],
)
def test_the_url_follows_from_the_endpoint(host: str, url: str) -> None:
    assert url_of(endpoint(host).place("eu-west-1")) == url


def test_amazons_names_without_ipv6_can_be_chosen() -> None:
    url = url_of(endpoint("s3.amazonaws.com", disable_dualstack=True).place("us-east-1"))
    assert url == "https://metrics.s3.us-east-1.amazonaws.com"


def test_plain_http_can_be_chosen() -> None:
    assert url_of(endpoint("minio:9000", insecure=True).place("r")) == "http://minio:9000/metrics"


@pytest.mark.parametrize("bucket", ["has.dots", "Upper", "under_score"])
def test_a_name_that_fits_no_certificate_goes_into_the_path(bucket: str) -> None:
    url = url_of(endpoint("s3.amazonaws.com", bucket=bucket).place("us-east-1"))
    assert url == f"https://s3.dualstack.us-east-1.amazonaws.com/{bucket}"


@pytest.mark.parametrize(
    ("host", "lookup", "url"),
    [
        ("s3.amazonaws.com", "path", "https://s3.dualstack.us-east-1.amazonaws.com/metrics"),
        ("minio:9000", "virtual-hosted", "https://metrics.minio:9000"),
    ],
)
def test_the_kind_of_lookup_can_be_chosen(host: str, lookup: str, url: str) -> None:
    assert url_of(endpoint(host, bucket_lookup_type=lookup).place("us-east-1")) == url


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("s3.amazonaws.com", ""),
        ("s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3-eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3.dualstack.ap-southeast-2.amazonaws.com", "ap-southeast-2"),
        ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("s3-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("bucket.vpce-1a2b-c3.s3.us-east-1.vpce.amazonaws.com", "us-east-1"),
        ("minio.eu-west-1.example", ""),
    ],
)
def test_amazons_host_names_tell_the_region(host: str, region: str) -> None:
    assert endpoint(host).region == region


def test_the_configured_region_goes_before_that_of_the_host() -> None:
    assert endpoint("s3.eu-west-1.amazonaws.com", region="eu-north-1").region == "eu-north-1"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("s3.amazonaws.com", "https://s3.dualstack.us-east-1.amazonaws.com/metrics"),
        ("s3.amazonaws.com.cn", "https://s3.dualstack.cn-north-1.amazonaws.com.cn/metrics"),
        ("minio:9000", "https://minio:9000/metrics"),
    ],
)
def test_the_region_is_asked_for_where_any_region_answers(host: str, url: str) -> None:
    assert url_of(endpoint(host).asking_place()) == url
