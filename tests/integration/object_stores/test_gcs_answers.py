"""The object store GCS and answers that no well-behaved emulator gives."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from servers.scripted import Answer, Asked, Script, ScriptedServer

from storegate import ConfigurationError, DeniedError, NotFoundError, ObjectStore, ThrottledError, UnavailableError

OpenScripted = Callable[..., tuple[ScriptedServer, Any]]

CALLS: dict[str, Callable[[Any], object]] = {
    "list": lambda store: list(store.list()),
    "head": lambda store: store.head("folder/object"),
    "get": lambda store: store.get("folder/object"),
    "get_range": lambda store: store.get_range("folder/object", 0, 10),
    "read_into": lambda store: store.read_into("folder/object", 0, memoryview(bytearray(10))),
    "put": lambda store: store.put("folder/object", b"content"),
    "delete": lambda store: store.delete("folder/object"),
}
READS = ("get", "get_range", "read_into")


@pytest.fixture
def open_scripted(start_scripted: Any, open_gcs: Any) -> OpenScripted:
    """A server with a script, and a store that asks it."""

    def open_scripted(script: Script, **settings: Any) -> tuple[ScriptedServer, ObjectStore]:
        server = start_scripted(script)
        return server, open_gcs(bucket="metrics", endpoint=f"http://{server.address}", **settings)

    return open_scripted


def refusal(status: int, reason: str, **headers: str) -> Answer:
    error = {"code": status, "message": f"It is {reason}.", "errors": [{"reason": reason}]}
    return Answer(status, json.dumps({"error": error}).encode(), {"Content-Type": "application/json", **headers})


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_no_missing_object(open_scripted: OpenScripted, call: str, status: int) -> None:
    _, store = open_scripted(lambda asked: refusal(status, "forbidden"))
    with pytest.raises(DeniedError) as caught:
        CALLS[call](store)
    assert "GCS bucket 'metrics'" in str(caught.value)
    assert f"status {status} (forbidden)" in str(caught.value)
    assert "storage.objects.get" in str(caught.value)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("status", "reason"), [(429, "rateLimitExceeded"), (503, ""), (403, "rateLimitExceeded")])
def test_a_store_that_throttles_says_how_long_and_is_asked_once(
    open_scripted: OpenScripted, call: str, status: int, reason: str
) -> None:
    server, store = open_scripted(lambda asked: refusal(status, reason, **{"Retry-After": "7"}))
    with pytest.raises(ThrottledError) as caught:
        CALLS[call](store)
    assert caught.value.retry_after == 7.0
    assert len(server.asked) == 1


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [408, 500, 504])
def test_a_store_that_fails_is_unavailable_and_is_asked_once(
    open_scripted: OpenScripted, call: str, status: int
) -> None:
    server, store = open_scripted(lambda asked: Answer(status, b"<html>sorry</html>"))
    with pytest.raises(UnavailableError, match=f"status {status}"):
        CALLS[call](store)
    assert len(server.asked) == 1


@pytest.mark.parametrize("call", CALLS)
def test_a_missing_bucket_is_no_missing_object(open_scripted: OpenScripted, call: str) -> None:
    body = b'{"error": {"code": 404, "message": "The specified bucket does not exist.", "errors": [{"reason": "n"}]}}'
    _, store = open_scripted(lambda asked: Answer(404, body, {"Content-Type": "application/json"}))
    with pytest.raises(ConfigurationError, match="the bucket does not exist: check `bucket`"):
        CALLS[call](store)


@pytest.mark.parametrize("call", READS)
def test_a_missing_object_is_told_in_plain_text_too(open_scripted: OpenScripted, call: str) -> None:
    _, store = open_scripted(lambda asked: Answer(404, b"No such object: metrics/folder/object"))
    with pytest.raises(NotFoundError, match="'folder/object' in GCS bucket 'metrics'"):
        CALLS[call](store)


def part(asked: Asked) -> Answer:
    """The first ten bytes of an object of a hundred."""
    return Answer(206, b"0123456789", {"Content-Range": "bytes 0-9/100"})


@pytest.mark.parametrize("call", READS)
@pytest.mark.parametrize("reset", [False, True])
def test_a_body_that_ends_early_is_unavailable(open_scripted: OpenScripted, call: str, reset: bool) -> None:
    whole = part if call != "get" else lambda asked: Answer(200, b"0123456789")
    _, store = open_scripted(lambda asked: Answer(**{**vars(whole(asked)), "sent": 4, "reset": reset}))
    with pytest.raises(UnavailableError, match="'folder/object'"):
        CALLS[call](store)


@pytest.mark.parametrize("length", ["9", "11"])
def test_a_body_of_another_length_than_its_range_is_unavailable(open_scripted: OpenScripted, length: str) -> None:
    body = b"0123456789X"[: int(length)]
    _, store = open_scripted(lambda asked: Answer(206, body, {"Content-Range": "bytes 0-9/100"}))
    with pytest.raises(UnavailableError, match=r"ended after 9 of 10|goes on after 10"):
        store.get_range("folder/object", 0, 10)


def test_another_range_is_unavailable(open_scripted: OpenScripted) -> None:
    _, store = open_scripted(part)
    with pytest.raises(UnavailableError, match="asked for 10 bytes from 5"):
        store.get_range("folder/object", 5, 10)


def test_a_connection_is_used_again_after_every_kind_of_answer(open_scripted: OpenScripted) -> None:
    peers = []

    def script(asked: Asked) -> Answer:
        peers.append(threading.get_ident())  # the server has one thread for a connection
        return [refusal(404, "notFound"), Answer(416, b"no such range"), part(asked)][len(peers) % 3]

    _, store = open_scripted(script)
    for _ in range(6):
        try:
            store.get_range("folder/object", 0, 10)
        except NotFoundError:
            pass
    assert len(set(peers)) == 1


@pytest.mark.parametrize("call", CALLS)
def test_an_answer_that_does_not_come_is_given_up(open_scripted: OpenScripted, call: str) -> None:
    held = threading.Event()
    _, store = open_scripted(lambda asked: Answer(held=held), http_config={"response_header_timeout": "100ms"})
    with pytest.raises(UnavailableError, match="imed out"):
        CALLS[call](store)
    held.set()


def test_a_body_that_stalls_is_given_up(open_scripted: OpenScripted) -> None:
    held = threading.Event()
    answer = Answer(206, b"0123456789", {"Content-Range": "bytes 0-9/100"}, held=held, sent=4)
    _, store = open_scripted(lambda asked: answer, http_config={"response_header_timeout": "100ms"})
    with pytest.raises(UnavailableError, match="imed out"):
        store.get_range("folder/object", 0, 10)
    held.set()


@pytest.mark.parametrize("call", CALLS)
def test_no_connection_is_unavailable(start_scripted: Any, open_gcs: Any, call: str) -> None:
    server = start_scripted()
    server.stop()
    store = open_gcs(bucket="metrics", endpoint=f"http://{server.address}")
    with pytest.raises(UnavailableError, match="Connection refused"):
        CALLS[call](store)


def test_a_proxy_of_the_environment_is_asked(
    start_scripted: Any, open_gcs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = start_scripted(lambda asked: part(asked) if "alt" in asked.query else Answer(200, b"{}"))
    monkeypatch.setenv("http_proxy", f"http://user:secret@{proxy.address}")
    store = open_gcs(bucket="metrics", endpoint="http://storage.example")
    assert store.get_range("object", 0, 10) == b"0123456789"
    assert list(store.list()) == []
    assert {asked.path.partition("/storage/v1/")[0] for asked in proxy.asked} == {
        "http://storage.example",
        "http://storage.example/download",
    }
    assert {asked.headers["proxy-authorization"] for asked in proxy.asked} == {"Basic dXNlcjpzZWNyZXQ="}


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
        return part(asked) if "alt" in asked.query else Answer(200, b"{}", {"Content-Type": "application/json"})


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


def test_no_log_line_holds_a_token_or_a_key(
    open_with_key: OpenScripted, private_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        _, store = open_with_key(Tokens())
        store.get_range("object", 0, 10)
        list(store.list())
    assert "token-1" not in caplog.text
    assert private_key[40:60] not in caplog.text
