"""How the store S3 connects and who it is: TLS, proxies, and the SDK's chain of credentials."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import trustme
from servers.s3 import ACCESS_KEY, SECRET_KEY, StartScripted
from servers.scripted import Answer, Asked, ScriptedServer

from storegate import ConfigurationError, DeniedError, UnavailableError
from storegate_s3.store import S3Store

KEYS = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
DATA = b"0123456789"
KEY = bytes(range(32))

Open = Callable[..., S3Store]


def store_at(open_s3: Any, endpoint: str, **more: Any) -> S3Store:
    return open_s3(**{"bucket": "bucket", "endpoint": endpoint, "region": "eu-west-1", **more})


# --- TLS ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def tls_server(authority: trustme.CA, start_scripted: StartScripted) -> Callable[..., ScriptedServer]:
    """Starts a server whose certificate is for the given name."""

    def start(name: str = "127.0.0.1", configure: Callable[[ssl.SSLContext], None] | None = None) -> ScriptedServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        if configure is not None:
            configure(context)
        return start_scripted(lambda asked: Answer(body=DATA), context)

    return start


def test_a_server_with_a_certificate_of_the_given_authority_is_trusted(
    tls_server: Callable[..., ScriptedServer], open_s3: Any, ca_file: str
) -> None:
    store = store_at(open_s3, tls_server().address, **KEYS, http_config={"tls_config": {"ca_file": ca_file}})
    assert store.get("k") == DATA


@pytest.mark.parametrize("name", ["127.0.0.1", "store.example"], ids=["unknown authority", "other name"])
def test_another_certificate_is_a_matter_of_configuration(
    tls_server: Callable[..., ScriptedServer], open_s3: Any, ca_file: str, name: str
) -> None:
    tls = {"ca_file": ca_file} if name != "127.0.0.1" else {}
    server = tls_server(name)
    store = store_at(open_s3, server.address, **KEYS, http_config={"tls_config": tls})
    with pytest.raises(ConfigurationError, match=r"'k' in S3 bucket 'bucket'.*certificate.*tls_config"):
        store.get("k")
    assert server.asked == []


def test_the_name_to_prove_can_be_given(tls_server: Callable[..., ScriptedServer], open_s3: Any, ca_file: str) -> None:
    tls = {"ca_file": ca_file, "server_name": "store.example"}
    store = store_at(open_s3, tls_server("store.example").address, **KEYS, http_config={"tls_config": tls})
    assert store.get("k") == DATA


@pytest.mark.parametrize("place", [{"insecure_skip_verify": True}, {"tls_config": {"insecure_skip_verify": True}}])
def test_verification_can_be_left_out_with_a_warning(
    tls_server: Callable[..., ScriptedServer], open_s3: Any, place: dict[str, Any]
) -> None:
    server = tls_server("store.example")
    with structlog.testing.capture_logs() as lines:
        store = store_at(open_s3, server.address, **KEYS, http_config=place)
        assert store.get("k") == DATA
    assert [line["log_level"] for line in lines if "not verified" in line["event"]] == ["warning"]


def test_a_client_certificate_is_shown(
    tls_server: Callable[..., ScriptedServer], open_s3: Any, authority: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    def ask_for_one(context: ssl.SSLContext) -> None:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED

    server = tls_server(configure=ask_for_one)
    client = authority.issue_cert("client.example")
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    client.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    files = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    store = store_at(open_s3, server.address, **KEYS, http_config={"tls_config": {"ca_file": ca_file, **files}})
    assert store.get("k") == DATA
    without = store_at(open_s3, server.address, **KEYS, http_config={"tls_config": {"ca_file": ca_file}})
    with pytest.raises(UnavailableError):
        without.get("k")


def test_the_key_of_sse_c_goes_with_every_request_but_listings(
    tls_server: Callable[..., ScriptedServer], open_s3: Any, ca_file: str, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(KEY)
    server = tls_server()
    time = {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}
    server.script = lambda asked: Answer(
        body=b"<ListBucketResult></ListBucketResult>" if asked.query else DATA, headers=time
    )
    store = store_at(
        open_s3,
        server.address,
        **KEYS,
        sse_config={"type": "SSE-C", "encryption_key": str(tmp_path / "key")},
        http_config={"tls_config": {"ca_file": ca_file}},
    )
    store.put("k", DATA)
    store.get("k")
    store.get_range("k", 0, 10)
    store.read_into("k", 0, memoryview(bytearray(10)))
    store.head("k")
    list(store.list())
    sent = [asked.headers.get("x-amz-server-side-encryption-customer-key") for asked in server.asked]
    assert sent == [base64.b64encode(KEY).decode()] * 5 + [None]


# --- proxies ---


@pytest.fixture
def proxy(start_scripted: StartScripted) -> ScriptedServer:
    return start_scripted(lambda asked: Answer(body=DATA))


def test_the_proxy_of_the_environment_is_asked(
    proxy: ScriptedServer, open_s3: Any, monkeypatch: pytest.MonkeyPatch, no_credentials: None
) -> None:
    monkeypatch.setenv("http_proxy", f"http://user:word@{proxy.address}")
    store = store_at(open_s3, "store.example:9000", **KEYS, insecure=True, bucket_lookup_type="virtual-hosted")
    assert store.get("01H/index") == DATA
    (asked,) = proxy.asked
    assert asked.path == "http://bucket.store.example:9000/01H/index"
    assert asked.headers["host"] == "bucket.store.example:9000"
    assert asked.headers["proxy-authorization"] == f"Basic {base64.b64encode(b'user:word').decode()}"


def test_hosts_of_no_proxy_are_asked_directly(
    proxy: ScriptedServer,
    start_scripted: StartScripted,
    open_s3: Any,
    monkeypatch: pytest.MonkeyPatch,
    no_credentials: None,
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = start_scripted(lambda asked: Answer(body=DATA))
    assert store_at(open_s3, server.address, **KEYS, insecure=True).get("k") == DATA
    assert proxy.asked == []


def test_a_proxy_that_is_not_there_is_unavailable(
    open_s3: Any, monkeypatch: pytest.MonkeyPatch, no_credentials: None
) -> None:
    gone = ScriptedServer(lambda asked: Answer())
    gone.stop()
    monkeypatch.setenv("http_proxy", gone.address)
    with pytest.raises(UnavailableError, match="refused"):
        store_at(open_s3, "store.example", **KEYS, insecure=True).get("k")


# --- credentials ---


@pytest.fixture
def server(start_scripted: StartScripted) -> ScriptedServer:
    return start_scripted(lambda asked: Answer(body=DATA))


def signed_by(server: ScriptedServer, open_s3: Any, **more: Any) -> str:
    """The access key that a request to the server is signed with."""
    store_at(open_s3, server.address, insecure=True, **more).get("k")
    return server.asked[-1].headers["authorization"].partition("Credential=")[2].partition("/")[0]


def test_without_credentials_access_is_denied_and_nobody_is_asked(
    server: ScriptedServer, open_s3: Any, no_credentials: None
) -> None:
    with pytest.raises(DeniedError, match=r"no credentials: set access_key"):
        signed_by(server, open_s3)
    assert server.asked == []


@pytest.mark.parametrize("settings", [{}, {"aws_sdk_auth": True}])
def test_the_environment_gives_keys(
    server: ScriptedServer,
    open_s3: Any,
    monkeypatch: pytest.MonkeyPatch,
    no_credentials: None,
    settings: dict[str, bool],
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-env")
    assert signed_by(server, open_s3, **settings) == "AKIDENV"
    assert server.asked[-1].headers["x-amz-security-token"] == "token-env"


def test_configured_keys_go_before_the_environment(
    server: ScriptedServer, open_s3: Any, monkeypatch: pytest.MonkeyPatch, no_credentials: None
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert signed_by(server, open_s3, **KEYS) == ACCESS_KEY


@pytest.mark.parametrize(("profile", "key"), [(None, "AKIDFILE"), ("metrics", "AKIDPROFILE")])
def test_the_shared_file_gives_keys_by_profile(
    server: ScriptedServer,
    open_s3: Any,
    monkeypatch: pytest.MonkeyPatch,
    no_credentials: None,
    tmp_path: Path,
    profile: str | None,
    key: str,
) -> None:
    keys = "[{}]\naws_access_key_id = {}\naws_secret_access_key = s\n"
    (tmp_path / "file").write_text(keys.format("default", "AKIDFILE") + keys.format("metrics", "AKIDPROFILE"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "file"))
    if profile is not None:
        monkeypatch.setenv("AWS_PROFILE", profile)
    assert signed_by(server, open_s3) == key


def test_a_profile_that_does_not_exist_is_a_matter_of_configuration(
    server: ScriptedServer, open_s3: Any, monkeypatch: pytest.MonkeyPatch, no_credentials: None
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "absent")
    with pytest.raises(ConfigurationError, match="absent"):
        signed_by(server, open_s3)


@pytest.fixture
def web_identity(monkeypatch: pytest.MonkeyPatch, no_credentials: None, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("token-of-the-pod")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/metrics")


def later(hours: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def sts_answer(asked: Asked) -> Answer:
    keys = {"AccessKeyId": "AKIDSTS", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": later(1)}
    credentials = "".join(f"<{name}>{value}</{name}>" for name, value in keys.items())
    call = "AssumeRoleWithWebIdentity"
    result = f"<{call}Result><Credentials>{credentials}</Credentials></{call}Result>"
    response = f'<{call}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{result}</{call}Response>'
    return Answer(body=response.encode(), headers={"Content-Type": "text/xml"})


def test_web_identity_asks_the_configured_sts_once(
    server: ScriptedServer, start_scripted: StartScripted, open_s3: Any, web_identity: None
) -> None:
    sts = start_scripted(sts_answer)
    store = store_at(open_s3, server.address, insecure=True, sts_endpoint=f"http://{sts.address}")
    store.get("k")
    store.get("k")
    assert "Credential=AKIDSTS/" in server.asked[-1].headers["authorization"]
    (asked,) = sts.asked
    assert b"token-of-the-pod" in asked.body


def test_a_role_that_may_not_be_assumed_is_denied(
    server: ScriptedServer, start_scripted: StartScripted, open_s3: Any, web_identity: None
) -> None:
    refusal = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not for you</Message></Error></ErrorResponse>"
    sts = start_scripted(lambda asked: Answer(403, refusal))
    with pytest.raises(DeniedError, match=r"AssumeRoleWithWebIdentity.*not for you"):
        signed_by(server, open_s3, sts_endpoint=f"http://{sts.address}")


def instance_metadata(asked: Asked) -> Answer:
    if asked.method == "PUT":
        return Answer(body=b"metadata-token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "600"})
    if asked.path.endswith("/security-credentials/"):
        return Answer(body=b"metrics-role")
    return Answer(body=role_keys("AKIDINSTANCE"), headers={"Content-Type": "application/json"})


def role_keys(key: str) -> bytes:
    keys = {"AccessKeyId": key, "SecretAccessKey": "s", "Token": "t", "Expiration": later(6)}
    return json.dumps({"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": later(-1), **keys}).encode()


def test_the_role_of_the_instance_gives_keys(
    server: ScriptedServer,
    start_scripted: StartScripted,
    open_s3: Any,
    monkeypatch: pytest.MonkeyPatch,
    no_credentials: None,
) -> None:
    metadata = start_scripted(instance_metadata)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://{metadata.address}/")
    assert signed_by(server, open_s3) == "AKIDINSTANCE"


def test_the_role_of_the_container_gives_keys(
    server: ScriptedServer,
    start_scripted: StartScripted,
    open_s3: Any,
    monkeypatch: pytest.MonkeyPatch,
    no_credentials: None,
) -> None:
    container = start_scripted(
        lambda asked: Answer(body=role_keys("AKIDCONTAINER"), headers={"Content-Type": "application/json"})
    )
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://{container.address}/keys")
    assert signed_by(server, open_s3) == "AKIDCONTAINER"


def test_keys_that_come_later_are_found_at_the_next_request(
    server: ScriptedServer, open_s3: Any, monkeypatch: pytest.MonkeyPatch, no_credentials: None
) -> None:
    store = store_at(open_s3, server.address, insecure=True)
    with pytest.raises(DeniedError):
        store.get("k")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert store.get("k") == DATA
