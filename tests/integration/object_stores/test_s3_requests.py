"""What the store S3 sends, where it finds the bucket, and what it says."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from http_store_suite import CALLS
from servers.s3 import ACCESS_KEY, SECRET_KEY, StartScripted
from servers.scripted import Answer, Asked, ScriptedServer

from storegate import ConfigurationError, UnavailableError
from storegate_s3.store import S3Store

MIB = 1024 * 1024
DATA = bytes(range(256)) * 64
LISTING = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
MALFORMED = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-north-1</Region></Error>"


def serve(asked: Asked) -> Answer:
    """A bucket in which every key holds DATA."""
    if asked.path == "/bucket/" and asked.method == "GET":
        return Answer(body=LISTING)
    if asked.method in ("PUT", "DELETE"):
        return Answer()
    if "range" not in asked.headers:
        return Answer(body=DATA, headers={"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"})
    first, last = (int(end) for end in asked.headers["range"].removeprefix("bytes=").split("-"))
    last = min(last, len(DATA) - 1)
    headers = {"Content-Range": f"bytes {first}-{last}/{len(DATA)}"}
    return Answer(206, DATA[first : last + 1], headers)


def settings(server: ScriptedServer, **more: Any) -> dict[str, Any]:
    keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "region": "eu-west-1"}
    return {"bucket": "bucket", "endpoint": server.address, "insecure": True, **keys, **more}


@pytest.fixture
def server(start_scripted: StartScripted) -> ScriptedServer:
    return start_scripted(serve)


@pytest.fixture
def open_store(server: ScriptedServer, open_s3: Any) -> Callable[..., S3Store]:
    return lambda **more: open_s3(**settings(server, **more))


# --- what is sent ---


def test_opening_sends_nothing(server: ScriptedServer, open_store: Callable[..., S3Store]) -> None:
    open_store(region="")
    assert server.asked == []


def test_the_core_learns_how_often_to_try_and_what_tells_the_bucket_from_others(
    server: ScriptedServer, open_store: Callable[..., S3Store]
) -> None:
    store = open_store(max_retries=3)
    assert (store.name, store.max_retries, store.identity) == ("bucket", 3, f"{server.address}/bucket")


def test_requests_are_signed_for_the_region(server: ScriptedServer, open_store: Callable[..., S3Store]) -> None:
    open_store().get("k")
    scope = server.asked[0].headers["authorization"].partition("Credential=")[2].partition(",")[0]
    assert scope.split("/")[0] == ACCESS_KEY
    assert scope.split("/")[2:] == ["eu-west-1", "s3", "aws4_request"]


def test_a_session_token_is_sent(server: ScriptedServer, open_store: Callable[..., S3Store]) -> None:
    open_store(session_token="token-1").get("k")
    assert server.asked[0].headers["x-amz-security-token"] == "token-1"


def test_signatures_of_version_2_are_those_of_its_description(
    server: ScriptedServer, open_store: Callable[..., S3Store]
) -> None:
    open_store(signature_version2=True).get("a b/ü")
    asked = server.asked[0]
    text = f"GET\n\n\n{asked.headers['date']}\n/bucket/a%20b/%C3%BC"
    signature = base64.b64encode(hmac.digest(SECRET_KEY.encode(), text.encode(), "sha1")).decode()
    assert asked.headers["authorization"] == f"AWS {ACCESS_KEY}:{signature}"


@pytest.mark.parametrize(("version", "sent"), [("", "2"), ("v2", "2"), ("v1", None)])
def test_the_version_of_the_listing_is_chosen(
    server: ScriptedServer, open_store: Callable[..., S3Store], version: str, sent: str | None
) -> None:
    list(open_store(list_objects_version=version).list())
    assert server.asked[0].query.get("list-type") == sent


@pytest.mark.parametrize("wanted", [True, False])
def test_uploads_hold_their_md5_if_wanted(
    server: ScriptedServer, open_store: Callable[..., S3Store], wanted: bool
) -> None:
    open_store(send_content_md5=wanted).put("k", b"data")
    expected = base64.b64encode(hashlib.md5(b"data").digest()).decode() if wanted else None
    assert server.asked[0].headers.get("content-md5") == expected


def test_parts_hold_their_md5_and_the_first_request_the_metadata(start_scripted: StartScripted, open_s3: Any) -> None:
    def answer(asked: Asked) -> Answer:
        if "uploads" in asked.query:
            return Answer(body=b"<R><UploadId>u+1/=</UploadId></R>")
        return Answer(headers={"ETag": f'"{asked.query.get("partNumber")}"'})

    server = start_scripted(answer)
    open_s3(**settings(server, part_size=5 * MIB, put_user_metadata={"owner": "me"})).put("k", b"x" * (6 * MIB))
    begin, first, second, end = server.asked
    assert (begin.headers["x-amz-meta-owner"], first.headers.get("x-amz-meta-owner")) == ("me", None)
    assert [len(part.body) for part in (first, second)] == [5 * MIB, MIB]
    assert all("content-md5" in part.headers for part in (first, second))
    assert {asked.query["uploadId"] for asked in (first, second, end)} == {"u+1/="}
    assert b'<PartNumber>2</PartNumber><ETag>"2"</ETag>' in end.body


def test_an_upload_that_fails_leaves_no_parts(start_scripted: StartScripted, open_s3: Any) -> None:
    def answer(asked: Asked) -> Answer:
        if "uploads" in asked.query:
            return Answer(body=b"<R><UploadId>u1</UploadId></R>")
        return Answer(500 if asked.method == "PUT" else 204)

    server = start_scripted(answer)
    with pytest.raises(UnavailableError):
        open_s3(**settings(server, part_size=5 * MIB)).put("k", b"x" * (6 * MIB))
    assert [(asked.method, asked.query.get("uploadId")) for asked in server.asked[1:]] == [
        ("PUT", "u1"),
        ("DELETE", "u1"),
    ]


def test_parts_that_could_not_be_joined_are_an_error(start_scripted: StartScripted, open_s3: Any) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.method == "POST":
            failed = b"<Error><Code>InternalError</Code></Error>"
            return Answer(body=b"<R><UploadId>u1</UploadId></R>" if "uploads" in asked.query else failed)
        return Answer()

    server = start_scripted(answer)
    with pytest.raises(UnavailableError, match="InternalError"):
        open_s3(**settings(server, part_size=5 * MIB)).put("k", b"x" * (6 * MIB))


SSE = "x-amz-server-side-encryption"


@pytest.mark.parametrize(
    ("sse", "header", "value"),
    [
        ({"type": "SSE-S3"}, SSE, "AES256"),
        ({"type": "SSE-KMS", "kms_key_id": "key-1"}, SSE, "aws:kms"),
        ({"type": "SSE-KMS", "kms_key_id": "key-1"}, f"{SSE}-aws-kms-key-id", "key-1"),
    ],
)
def test_only_uploads_ask_for_keys_that_the_store_holds(
    server: ScriptedServer, open_store: Callable[..., S3Store], sse: dict[str, str], header: str, value: str
) -> None:
    store = open_store(sse_config=sse)
    store.put("k", b"x")
    store.get("k")
    store.get_range("k", 0, 10)
    store.head("k")
    assert [asked.headers.get(header) for asked in server.asked] == [value, None, None, None]


def test_an_upload_in_parts_asks_for_encryption_once(start_scripted: StartScripted, open_s3: Any) -> None:
    server = start_scripted(lambda asked: Answer(body=b"<R><UploadId>u1</UploadId></R>" if asked.query else b""))
    open_s3(**settings(server, part_size=5 * MIB, sse_config={"type": "SSE-S3"})).put("k", b"x" * (6 * MIB))
    assert [asked.headers.get(SSE) for asked in server.asked] == ["AES256", None, None, None]


def test_connections_are_used_again(server: ScriptedServer, open_store: Callable[..., S3Store]) -> None:
    store = open_store()
    for call in CALLS.values():
        call(store)
    assert server.connections == 1


# --- the region ---


@pytest.mark.parametrize(
    ("answer", "region"),
    [
        (Answer(body=b'<LocationConstraint xmlns="x">eu-north-1</LocationConstraint>'), "eu-north-1"),
        (Answer(body=b"<LocationConstraint/>"), "us-east-1"),
        (Answer(body=b"<LocationConstraint>EU</LocationConstraint>"), "eu-west-1"),
        (
            Answer(400, b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-north-1</Region></Error>"),
            "eu-north-1",
        ),
        (Answer(403, headers={"x-amz-bucket-region": "eu-north-1"}), "eu-north-1"),
        (Answer(403), "us-east-1"),
        (Answer(501), "us-east-1"),
        (Answer(body=b"<LocationConstraint>evil.example/</LocationConstraint>"), "us-east-1"),
    ],
    ids=["told", "first", "old name", "in the error", "in a header", "denied", "unknown call", "no region"],
)
def test_the_region_is_asked_for_once(start_scripted: StartScripted, open_s3: Any, answer: Answer, region: str) -> None:
    server = start_scripted(lambda asked: answer if "location" in asked.query else serve(asked))
    store = open_s3(**settings(server, region=""))
    store.get("k")
    store.get("k")
    assert ["location" in asked.query for asked in server.asked] == [True, False, False]
    assert f"/{region}/s3/" in server.asked[1].headers["authorization"]


def test_a_store_that_fails_is_asked_for_the_region_again(start_scripted: StartScripted, open_s3: Any) -> None:
    failing = start_scripted(lambda asked: Answer(500) if len(failing.asked) == 1 else serve(asked))
    store = open_s3(**settings(failing, region=""))
    with pytest.raises(UnavailableError, match="region"):
        store.get("k")
    assert store.get("k") == DATA


# --- what is said ---


def test_requests_are_traced_without_secrets(server: ScriptedServer, open_store: Callable[..., S3Store]) -> None:
    with structlog.testing.capture_logs() as lines:
        store = open_store(trace={"enable": True}, session_token="token-hidden")
        store.get_range("01H/index", 0, 10)
    (line,) = (line for line in lines if line["event"] == "s3 request")
    assert (line["method"], line["outcome"], line["log_level"]) == ("GET", "ok", "debug")
    assert "bytes=0-9" in line["headers"]
    assert not any(secret in str(line) for secret in (SECRET_KEY, "token-hidden", "Signature", ACCESS_KEY))


def test_nothing_is_traced_by_default(server: ScriptedServer, open_store: Callable[..., S3Store]) -> None:
    with structlog.testing.capture_logs() as lines:
        open_store().get("k")
    assert lines == []


def test_what_has_no_effect_is_said_once(server: ScriptedServer, open_store: Callable[..., S3Store]) -> None:
    with structlog.testing.capture_logs() as lines:
        open_store(http_config={"idle_conn_timeout": "10s"}).get("k")
    assert ["idle_conn_timeout" in line["event"] for line in lines] == [True]


def test_an_unreadable_ca_file_stops_the_start(open_store: Callable[..., S3Store], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"ca_file.*missing"):
        open_store(insecure=False, http_config={"tls_config": {"ca_file": str(tmp_path / "missing.pem")}})
