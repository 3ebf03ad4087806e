"""The object store GCS and answers that no well-behaved emulator gives."""

from __future__ import annotations

import json
import logging
import ssl
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from http_store_suite import CALLS, KEY, READS, HttpStoreSuite, part
from servers.scripted import Answer, Asked, Script, ScriptedServer

from storegate import ConfigurationError, DeniedError, NotFoundError, ObjectStore, ThrottledError

OpenScripted = Callable[..., tuple[ScriptedServer, Any]]


def refusal(status: int, reason: str, **headers: str) -> Answer:
    error = {"code": status, "message": f"It is {reason}.", "errors": [{"reason": reason}]}
    return Answer(status, json.dumps({"error": error}).encode(), {"Content-Type": "application/json", **headers})


@pytest.fixture
def open_at(open_gcs: Any) -> Callable[..., Any]:
    return lambda address, **settings: open_gcs(bucket="metrics", endpoint=f"http://{address}", **settings)


class TestGcsAnswers(HttpStoreSuite):
    refusal = staticmethod(refusal)

    @pytest.mark.parametrize("call", CALLS)
    def test_a_rate_that_is_too_high_is_no_refusal(self, scripted: Any, call: str) -> None:
        _, store = scripted(lambda asked: refusal(403, "rateLimitExceeded"))
        with pytest.raises(ThrottledError):
            CALLS[call](store)

    @pytest.mark.parametrize("call", CALLS)
    def test_a_missing_bucket_is_no_missing_object(self, scripted: Any, call: str) -> None:
        error = {"code": 404, "message": "The specified bucket does not exist.", "errors": [{"reason": "notFound"}]}
        _, store = scripted(lambda asked: Answer(404, json.dumps({"error": error}).encode()))
        with pytest.raises(ConfigurationError, match="the bucket does not exist: check `bucket`"):
            CALLS[call](store)

    @pytest.mark.parametrize("call", READS)
    def test_a_missing_object_is_told_in_plain_text_too(self, scripted: Any, call: str) -> None:
        _, store = scripted(lambda asked: Answer(404, b"No such object: metrics/folder/object"))
        with pytest.raises(NotFoundError, match=f"'{KEY}' in GCS bucket 'metrics'"):
            CALLS[call](store)


# --- credentials ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode()


class Tokens:
    """Answers as a token endpoint and as a store that accepts the newest token; `asked` counts tokens."""

    def __init__(self) -> None:
        self.given = 0
        self.lifetime = 3600

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/token":
            self.given += 1
            token = {"access_token": f"token-{self.given}", "expires_in": self.lifetime, "token_type": "Bearer"}
            return Answer(200, json.dumps(token).encode(), {"Content-Type": "application/json"}, delay=0.05)
        if asked.headers.get("authorization") != f"Bearer token-{self.given}":
            return refusal(401, "authError")
        return part(asked) if "range" in asked.headers else Answer(200, b'{"kind": "storage#objects"}')


@pytest.fixture
def open_with_key(start_scripted: Any, open_gcs: Any, private_key: str) -> OpenScripted:
    def open_with_key(script: Script) -> tuple[ScriptedServer, ObjectStore]:
        server = start_scripted(script)
        url = f"http://{server.address}"
        key = {"type": "service_account", "client_email": "gateway@example", "private_key": private_key}
        account = json.dumps({**key, "token_uri": f"{url}/token"})
        return server, open_gcs(bucket="metrics", endpoint=url, service_account=account)

    return open_with_key


def test_a_service_account_gets_one_token_for_all_threads(open_with_key: OpenScripted) -> None:
    tokens = Tokens()
    _, store = open_with_key(tokens)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: store.get_range("object", 0, 10), range(32)))
    assert list(store.list()) == []
    assert tokens.given == 1


def test_a_token_that_is_refused_is_renewed(open_with_key: OpenScripted) -> None:
    tokens = Tokens()
    _, store = open_with_key(tokens)
    store.get_range("object", 0, 10)
    tokens.given += 1  # the store knows a newer one
    assert store.get_range("object", 0, 10) == b"0123456789"
    assert tokens.given == 3


def test_a_token_endpoint_that_refuses_the_key_is_told(open_with_key: OpenScripted, private_key: str) -> None:
    refused = Answer(400, b'{"error": "invalid_grant", "error_description": "Account not found"}')
    _, store = open_with_key(lambda asked: refused)
    for call in ("list", "get_range"):
        with pytest.raises(DeniedError, match=r"cannot get a token .*invalid_grant: Account not found") as caught:
            CALLS[call](store)
        assert private_key[40:60] not in repr(caught.value)


def test_a_key_that_cannot_be_read_stops_the_start(open_gcs: Any) -> None:
    account = {"type": "service_account", "client_email": "a@example", "token_uri": "https://oauth2.example"}
    with pytest.raises(ConfigurationError, match="private_key cannot be read") as caught:
        open_gcs(bucket="metrics", service_account=json.dumps({**account, "private_key": "TOP-SECRET"}))
    assert "SECRET" not in str(caught.value)


def test_a_machine_without_credentials_is_told_what_to_set(open_gcs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    with pytest.raises(ConfigurationError, match=r"set service_account, set GOOGLE_APPLICATION_CREDENTIALS .*nowhere"):
        open_gcs(bucket="metrics")


PROGRAM = """
import sys, structlog
from storegate import PluginContext
from storegate_gcs.config import GcsConfig
from storegate_gcs.store import open_store

tls = {"ca_file": sys.argv[2]}
config = GcsConfig(bucket="metrics", endpoint=sys.argv[1], http_config={"tls_config": tls})
store = open_store(config, PluginContext(name="GCS", log=structlog.get_logger(), registry=None))
sys.stdout.write(store.get_range("object", 0, 10).decode())
"""


def test_the_metadata_server_of_the_machine_gives_tokens(start_scripted: Any, tmp_path: Path) -> None:
    """In a process of its own: google-auth reads the server's address when it is imported."""

    def metadata(asked: Asked) -> Answer:
        if not asked.path.endswith("/token"):
            account = b'{"email": "gateway@example", "scopes": []}'
            return Answer(200, account, {"Metadata-Flavor": "Google", "Content-Type": "application/json"})
        token = {"access_token": "of-the-machine", "expires_in": 3600, "token_type": "Bearer"}
        return Answer(200, json.dumps(token).encode(), {"Content-Type": "application/json"})

    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue())
    server, machine = start_scripted(part, context), start_scripted(metadata)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"https://{server.address}", str(authority.ca)],
        env={"HOME": str(tmp_path), "GCE_METADATA_HOST": machine.address, "GCE_METADATA_IP": machine.address},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "0123456789", done.stderr
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer of-the-machine"]


def test_no_log_line_holds_a_token_or_a_key(
    open_with_key: OpenScripted, private_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        _, store = open_with_key(Tokens())
        store.get_range("object", 0, 10)
        list(store.list())
    assert "token-1" not in caplog.text
    assert private_key[40:60] not in caplog.text
