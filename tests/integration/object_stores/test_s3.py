"""The store S3 against moto, a real server over a real connection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
import urllib3
from prometheus_client import CollectorRegistry
from servers.s3 import PAGE, SECRET_KEY, S3Server

from storegate import ConfigurationError, DeniedError
from storegate.config.settings import ObjectStoreRef
from storegate.objstore.opening import wrapped
from storegate.testing import write_block
from storegate.testing.object_store_suite import ObjectStoreSuite
from storegate.testing.object_store_suite.fixtures import random_bytes
from storegate.testing.object_store_suite.lists import ListTests
from storegate.types import ObjectStore
from storegate_s3.config import MIB
from storegate_s3.store import S3Store


@pytest.fixture(scope="module")
def store(s3_server: S3Server, open_s3: Any) -> S3Store:
    return open_s3(**s3_server.config(s3_server.new_bucket()))


def as_in_a_gateway(store: S3Store) -> ObjectStore:
    return wrapped(store, ObjectStoreRef(type="S3"), CollectorRegistry())


class TestS3(ObjectStoreSuite):
    """The acceptance suite."""

    many = 2 * PAGE + 5

    def test_one_of_several_puts_at_once_wins_whole(self, store: S3Store, folder: str) -> None:
        """moto answers 500 to some of several puts of one object, so they are tried again as a gateway does."""
        super().test_one_of_several_puts_at_once_wins_whole(as_in_a_gateway(store), folder)


class TestTheOldListing(ListTests):
    """Version 1 of the listing call."""

    many = 2 * PAGE + 5
    odd_names = tuple(name for name in ListTests.odd_names if not {"%", "+"} & set(name))  # moto does not encode them

    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, s3_server: S3Server, open_s3: Any) -> S3Store:
        return open_s3(**s3_server.config(s3_server.new_bucket(), list_objects_version="v1"))


# --- beyond the suite ---


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    return s3_server.new_bucket()


def test_what_amazons_client_puts_is_read(s3_server: S3Server, open_s3: Any, bucket: str) -> None:
    s3_server.client.put_object(Bucket=bucket, Key="01H/index", Body=b"0123456789")
    store = open_s3(**s3_server.config(bucket))
    assert store.get_range("01H/index", 3, 4) == b"3456"


def test_amazons_client_reads_what_is_put(s3_server: S3Server, open_s3: Any, bucket: str) -> None:
    open_s3(**s3_server.config(bucket)).put("01H/mark with space+.json", b"{}")
    assert s3_server.client.get_object(Bucket=bucket, Key="01H/mark with space+.json")["Body"].read() == b"{}"


def test_markers_of_folders_are_no_objects(s3_server: S3Server, open_s3: Any, bucket: str) -> None:
    for key in ("01H/", "01H/index"):
        s3_server.client.put_object(Bucket=bucket, Key=key, Body=b"")
    store = open_s3(**s3_server.config(bucket))
    assert [entry.key for entry in store.list(recursive=True)] == ["01H/index"]
    assert [entry.key for entry in store.list("01H/")] == ["01H/index"]


def test_metadata_and_storage_class_are_stored(s3_server: S3Server, open_s3: Any, bucket: str) -> None:
    headers = {"X-AMZ-Storage-Class": "STANDARD_IA", "owner": "metrics", "Cache-Control": "no-cache"}
    open_s3(**s3_server.config(bucket, put_user_metadata=headers)).put("k", b"x")
    head = s3_server.client.head_object(Bucket=bucket, Key="k")
    assert (head["StorageClass"], head["Metadata"], head["CacheControl"]) == (
        "STANDARD_IA",
        {"owner": "metrics"},
        "no-cache",
    )


def test_the_store_encrypts_what_it_is_asked_to(s3_server: S3Server, open_s3: Any, bucket: str) -> None:
    settings = {"type": "SSE-KMS", "kms_key_id": "key-1"}
    store = open_s3(**s3_server.config(bucket, sse_config=settings))
    store.put("k", b"x")
    head = s3_server.client.head_object(Bucket=bucket, Key="k")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "key-1")
    assert store.get("k") == b"x"


@pytest.mark.parametrize(("disable_multipart", "is_in_parts"), [(False, True), (True, False)])
def test_large_objects_are_put_in_parts(
    s3_server: S3Server, open_s3: Any, bucket: str, disable_multipart: bool, is_in_parts: bool
) -> None:
    data = random_bytes(11 * MIB + 17)
    settings = {"part_size": 5 * MIB, "disable_multipart": disable_multipart, "put_user_metadata": {"owner": "me"}}
    open_s3(**s3_server.config(bucket, **settings)).put("k", data)
    got = s3_server.client.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == data
    assert got["Metadata"] == {"owner": "me"}
    assert got["ETag"].endswith('-3"') is is_in_parts  # moto names an object of 3 parts so, as Amazon does


def test_a_prefix_is_a_bucket_of_its_own(s3_server: S3Server, open_s3: Any, bucket: str) -> None:
    raw = open_s3(**s3_server.config(bucket))
    store = wrapped(raw, ObjectStoreRef(type="S3", prefix="/tenant/a/"), CollectorRegistry())
    raw.put("tenant/ab/k", b"other")
    store.put("01H/k", b"x")
    assert [entry.key for entry in store.list(recursive=True)] == ["01H/k"]
    assert raw.get("tenant/a/01H/k") == b"x"


def test_a_bucket_that_does_not_exist_is_a_matter_of_configuration(s3_server: S3Server, open_s3: Any) -> None:
    store = open_s3(**s3_server.config("no-such-bucket", region="us-east-1"))
    with pytest.raises(ConfigurationError, match=r"'no-such-bucket'.*does not exist"):
        list(store.list())


def test_a_bucket_that_does_not_exist_has_no_region(s3_server: S3Server, open_s3: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"'no-such-bucket'.*does not exist"):
        list(open_s3(**s3_server.config("no-such-bucket")).list())


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_the_region_of_the_bucket_is_found(s3_server: S3Server, open_s3: Any, region: str) -> None:
    store = open_s3(**s3_server.config(s3_server.new_bucket(region)))
    with structlog.testing.capture_logs() as lines:
        assert list(store.list()) == list(store.list()) == []
    assert [line["region"] for line in lines] == [region]


def test_virtual_hosts_are_served_through_a_proxy(
    s3_server: S3Server, open_s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch, no_credentials: None
) -> None:
    """The proxy is moto itself, which answers for all host names of Amazon."""
    monkeypatch.setenv("http_proxy", s3_server.address)
    store = open_s3(**s3_server.config(bucket, endpoint="s3.us-east-1.amazonaws.com"))
    store.put("01H/index", b"0123456789")
    assert store.get_range("01H/index", 3, 4) == b"3456"
    assert [entry.key for entry in store.list("01H/")] == ["01H/index"]
    assert s3_server.client.get_object(Bucket=bucket, Key="01H/index")["Body"].read() == b"0123456789"


def test_the_command_serves_a_bucket_and_shows_no_secret(
    s3_server: S3Server, open_s3: Any, bucket: str, start_store: Any
) -> None:
    config = s3_server.config(bucket, session_token="token-hidden", trace={"enable": True})
    write_block(open_s3(**config), [({"__name__": "up"}, [(1000, 1.0)])])
    with start_store(json.dumps({"type": "S3", "config": config}), ["--log.level=debug"]) as running:
        pages = [running.get(path)[1].decode() for path in ("/metrics", "/api/v1/status/flags")]
        logged = running.logged()
    assert "thanos_bucket_store_blocks_loaded 1.0" in pages[0]
    assert "s3 request" in logged
    shown = "".join((logged, *pages))
    assert [secret for secret in (SECRET_KEY, "token-hidden", "Signature=") if secret in shown] == []


# --- keys that the server checks ---


@pytest.fixture
def checked_keys(s3_server: S3Server, bucket: str) -> Iterator[dict[str, str]]:
    """Keys that moto knows; for the time of the test it verifies every signature, and what its user may do."""
    import boto3

    iam = boto3.client(
        "iam",
        endpoint_url=f"http://{s3_server.address}",
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
    user = f"user-{bucket}"
    iam.create_user(UserName=user)
    statement = {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject", "s3:PutObject"], "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": statement}
    iam.put_user_policy(UserName=user, PolicyName="read", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    check_signatures(s3_server, "0")
    yield {"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"], "region": "us-east-1"}
    check_signatures(s3_server, "inf")


def check_signatures(server: S3Server, after: str) -> None:
    answer = urllib3.request("POST", f"http://{server.address}/moto-api/reset-auth", body=after, retries=False)
    assert answer.status == 200


def test_the_store_accepts_the_signatures(
    s3_server: S3Server, open_s3: Any, bucket: str, checked_keys: dict[str, str]
) -> None:
    store = open_s3(**s3_server.config(bucket, **checked_keys))
    store.put("a b+c/ü", b"0123456789")
    assert store.get_range("a b+c/ü", 3, 4) == b"3456"
    assert [entry.key for entry in store.list("a b+c/")] == ["a b+c/ü"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"secret_key": "wrong-secret"}, "secret key is wrong"), ({"access_key": "AKIAWRONG"}, "access key")],
)
def test_wrong_keys_are_denied(
    s3_server: S3Server, open_s3: Any, bucket: str, checked_keys: dict[str, str], wrong: dict[str, str], words: str
) -> None:
    store = open_s3(**s3_server.config(bucket, **checked_keys | wrong))
    with pytest.raises(DeniedError, match=words) as caught:
        store.get("01H/index")
    assert "'01H/index'" in str(caught.value)
    assert not any(value in str(caught.value) for value in wrong.values() if "secret" in value)


def test_what_the_user_may_not_do_is_denied(
    s3_server: S3Server, open_s3: Any, bucket: str, checked_keys: dict[str, str]
) -> None:
    store = open_s3(**s3_server.config(bucket, **checked_keys))
    store.put("k", b"x")
    with pytest.raises(DeniedError, match="AccessDenied"):
        store.delete("k")
