"""The settings of a bucket: names, defaults and constraints of operations 12."""

from __future__ import annotations

from typing import Any

import pytest

import storegate_s3
from storegate import ConfigurationError
from storegate.config.validation import check
from storegate_s3.config import S3Config

MINIMAL = {"bucket": "metrics", "endpoint": "s3.example"}


def config(**settings: Any) -> S3Config:
    return check(S3Config, MINIMAL | settings)


def test_hook_storegate_object_stores_registers_it() -> None:
    (provider,) = storegate_s3.storegate_object_stores()
    assert (provider.name, provider.config, provider.factory) == ("S3", S3Config, "storegate_s3.store:open_store")


def test_a_bucket_and_an_endpoint_suffice() -> None:
    given = config().model_dump(exclude={"http_config", "access_key", "secret_key", "session_token"})
    assert given == MINIMAL | {
        "region": "",
        "disable_dualstack": False,
        "aws_sdk_auth": False,
        "insecure": False,
        "signature_version2": False,
        "put_user_metadata": {},
        "trace": {"enable": False},
        "list_objects_version": "",
        "bucket_lookup_type": "auto",
        "send_content_md5": True,
        "disable_multipart": False,
        "part_size": 67_108_864,
        "sse_config": {"type": "", "kms_key_id": "", "kms_encryption_context": {}, "encryption_key": ""},
        "sts_endpoint": "",
        "max_retries": 0,
    }


def test_keys_without_a_value_hold_their_defaults() -> None:
    nulls = dict.fromkeys(("region", "access_key", "http_config", "sse_config", "put_user_metadata", "part_size"))
    assert config(**nulls) == config()


def test_numbers_are_taken_for_text() -> None:
    assert config(access_key=123, secret_key=456).access_key.get_secret_value() == "123"


def test_a_part_size_of_0_is_the_default() -> None:
    assert config(part_size=0).part_size == 67_108_864


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"acess_key": "x"}, ["acess_key", "'access_key'"]),
        ({"sse_config": {"typ": "SSE-S3"}}, ["sse_config.typ", "'type'"]),
        ({"http_config": {"idle_con_timeout": "1s"}}, ["http_config.idle_con_timeout", "'idle_conn_timeout'"]),
        ({"trace": {"enabled": True}}, ["trace.enabled", "'enable'"]),
        ({"bucket": None}, ["bucket", "required"]),
        ({"bucket": ""}, ["bucket", "name of a bucket"]),
        ({"bucket": "a/b"}, ["bucket", "name of a bucket"]),
        ({"endpoint": None}, ["endpoint", "required"]),
        ({"endpoint": "https://s3.example"}, ["endpoint", "without a scheme", "insecure"]),
        ({"endpoint": "s3.example/path"}, ["endpoint", "host:port"]),
        ({"endpoint": "user@s3.example"}, ["endpoint", "host:port"]),
        ({"region": "eu west"}, ["region"]),
        ({"access_key": "AKID"}, ["access_key is set and secret_key is not"]),
        ({"secret_key": "s"}, ["secret_key is set and access_key is not"]),
        ({"session_token": "t"}, ["session_token", "access_key"]),
        ({"aws_sdk_auth": True, "access_key": "AKID", "secret_key": "s"}, ["aws_sdk_auth", "access_key", "exclude"]),
        ({"list_objects_version": "v3"}, ["list_objects_version", "'v1'"]),
        ({"bucket_lookup_type": "dns"}, ["bucket_lookup_type", "'virtual-hosted'"]),
        ({"part_size": 1_000_000}, ["part_size", "5 MiB"]),
        ({"part_size": -1}, ["part_size"]),
        ({"max_retries": -1}, ["max_retries"]),
        ({"sse_config": {"type": "SSE-X"}}, ["sse_config.type", "'SSE-KMS'"]),
        ({"sse_config": {"type": "SSE-KMS"}}, ["sse_config", "kms_key_id"]),
        ({"sse_config": {"type": "SSE-C"}}, ["sse_config", "encryption_key"]),
        ({"sse_config": {"type": "SSE-C", "encryption_key": "/k"}, "insecure": True}, ["SSE-C", "insecure"]),
        (
            {"sse_config": {"type": "SSE-KMS", "kms_key_id": "k"}, "signature_version2": True},
            ["SSE-KMS", "signature_version2"],
        ),
        ({"put_user_metadata": {"two words": "x"}}, ["put_user_metadata", "'two words'"]),
        ({"put_user_metadata": {"owner": "a\r\nb"}}, ["put_user_metadata", "'owner'"]),
    ],
)
def test_what_cannot_work_is_refused_with_a_hint(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config(**settings)
    assert [word for word in words if word not in str(caught.value)] == []


def test_no_secret_is_shown() -> None:
    keys = {"access_key": "AKID-hidden", "secret_key": "secret-hidden", "session_token": "token-hidden"}
    assert "hidden" not in repr(config(**keys)) + str(config(**keys).model_dump())
