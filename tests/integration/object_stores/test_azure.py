"""The object store AZURE against Azurite, a real server over a real connection, which checks signatures and tokens."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient, generate_container_sas
from certificates import Authority
from servers.azure import ACCOUNT, KEY, AzureServer, azure_process
from servers.scripted import Answer, Asked

from storegate import ConfigurationError, DeniedError, NotFoundError, ObjectStore, UnavailableError
from storegate.testing.object_store_suite import ObjectStoreSuite
from storegate_azure.connection import API_VERSION

OpenAzure = Callable[..., Any]
StartScripted = Callable[..., Any]


@pytest.fixture(scope="module")
def store(azure_server: AzureServer, open_azure: OpenAzure) -> ObjectStore:
    """The container does not exist before the suite."""
    opened: ObjectStore = open_azure(**azure_server.config())
    return opened


class TestAzure(ObjectStoreSuite):
    pass


# --- who asks ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def container(azure_server: AzureServer) -> str:
    """A container with an object that Azure's own client uploaded, in blocks."""
    client = ContainerClient(
        azure_server.url, "written", credential=KEY, api_version=API_VERSION, max_single_put_size=1, max_block_size=100
    )
    with client:
        client.create_container()
        client.upload_blob("folder/object", bytes(range(250)))
    return "written"


def test_what_azures_own_client_wrote_is_read(azure_server: AzureServer, open_azure: OpenAzure, container: str) -> None:
    store = open_azure(**azure_server.config(container))
    assert [(info.key, info.size) for info in store.list(recursive=True)] == [("folder/object", 250)]
    assert store.get("folder/object") == bytes(range(250))
    assert store.get_range("folder/object", 95, 10) == bytes(range(95, 105))


def test_a_wrong_key_is_denied(azure_server: AzureServer, open_azure: OpenAzure, container: str) -> None:
    wrong = base64.b64encode(b"another key").decode()
    store = open_azure(**azure_server.config(container, storage_account_key=wrong))
    for read in (lambda: list(store.list()), lambda: store.get_range("folder/object", 0, 1)):
        with pytest.raises(DeniedError, match=r"status 403 \(AuthorizationFailure\)") as caught:
            read()
        assert wrong not in str(caught.value)


def test_a_connection_string_will_do(azure_server: AzureServer, open_azure: OpenAzure, container: str) -> None:
    text = f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={azure_server.url}/;"
    settings = azure_server.config(container, storage_account_key="", storage_connection_string=text)
    assert open_azure(**settings).get_range("folder/object", 7, 1) == b"\x07"


@pytest.fixture
def signature() -> str:
    """A shared access signature that allows to read and list for an hour."""
    until = datetime.now(UTC) + timedelta(hours=1)
    return str(generate_container_sas(ACCOUNT, "written", account_key=KEY, permission="rl", expiry=until))


def test_a_signature_allows_what_it_says(
    azure_server: AzureServer,
    open_azure: OpenAzure,
    container: str,
    signature: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = f"BlobEndpoint={azure_server.url};SharedAccessSignature={signature}"
    with caplog.at_level(logging.DEBUG):
        store = open_azure(**azure_server.config(container, storage_account_key="", storage_connection_string=text))
        assert [info.key for info in store.list()] == ["folder/"]
        assert store.get_range("folder/object", 0, 2) == b"\x00\x01"
        with pytest.raises(DeniedError) as caught:
            store.put("other", b"")
    secret = signature.rpartition("sig=")[2]
    assert secret not in str(caught.value)
    assert secret not in caplog.text


def test_a_wrong_signature_is_denied(
    azure_server: AzureServer, open_azure: OpenAzure, container: str, signature: str
) -> None:
    text = f"BlobEndpoint={azure_server.url};SharedAccessSignature={signature[:-8]}AAAA%3D"
    store = open_azure(**azure_server.config(container, storage_account_key="", storage_connection_string=text))
    with pytest.raises(DeniedError):
        store.get("folder/object")


# --- containers that do not exist -------------------------------------------------------------------------------------


def test_a_listing_creates_the_container(azure_server: AzureServer, open_azure: OpenAzure) -> None:
    store = open_azure(**azure_server.config())
    assert list(store.list()) == []
    with pytest.raises(NotFoundError):
        store.get("object")


def test_a_read_creates_nothing(azure_server: AzureServer, open_azure: OpenAzure) -> None:
    store = open_azure(**azure_server.config())
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="the container does not exist"):
            store.get("object")


def test_no_container_is_created_against_the_settings(azure_server: AzureServer, open_azure: OpenAzure) -> None:
    store = open_azure(**azure_server.config(storage_create_container=False))
    for use in (lambda: list(store.list()), lambda: store.put("object", b"")):
        with pytest.raises(ConfigurationError, match="the container does not exist: check `container` or create it"):
            use()


# --- TLS and tokens ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AzureServer, Path]]:
    """A server that takes tokens, with a certificate for another name than its address, and the CA's."""
    authority = Authority(tmp_path_factory.mktemp("azure-tls"))
    pair = authority.issue("store.example")
    folder = tmp_path_factory.mktemp("azure")
    process = azure_process(folder, "--cert", str(pair.cert), "--key", str(pair.key), "--oauth", "basic")
    process.start()
    yield AzureServer(process, "https"), authority.ca
    process.kill()


@pytest.fixture
def over_tls(tls_server: tuple[AzureServer, Path]) -> dict[str, Any]:
    server, ca = tls_server
    tls = {"ca_file": str(ca), "server_name": "store.example"}
    return server.config(http_config={"tls_config": tls})


def test_tls_files_and_server_name_are_used(open_azure: OpenAzure, over_tls: dict[str, Any]) -> None:
    assert list(open_azure(**over_tls).list()) == []


def test_a_certificate_that_is_not_trusted_is_named(open_azure: OpenAzure, over_tls: dict[str, Any]) -> None:
    store = open_azure(**{**over_tls, "http_config": {}})
    with pytest.raises(ConfigurationError, match=r"certificate is not accepted .*http_config\.tls_config"):
        store.get("object")


def token(lifetime: float = 3600.0) -> str:
    """A token of the kind that Azurite accepts: it looks at all claims, and at no signature."""
    now = int(time.time())
    tenant = "ab1f708d-50f6-404c-a006-d71b2ac7a606"
    claims = {
        "aud": "https://storage.azure.com",
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + int(lifetime),
        "tid": tenant,
    }
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2ln"])


class Identity:
    """Gives tokens as the endpoint for managed identities does."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.asked: list[Asked] = []
        self.broken = False

    def __call__(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if self.broken:
            return Answer(400, b'{"statusCode": 400, "message": "No such identity"}')
        self.given.append(token())
        answer = {"access_token": self.given[-1], "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"}
        return Answer(200, json.dumps({**answer, "resource": "https://storage.azure.com/"}).encode())


@pytest.fixture
def identity(start_scripted: StartScripted, monkeypatch: pytest.MonkeyPatch) -> Identity:
    """The managed identity of this machine."""
    identity = Identity()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://{start_scripted(identity).address}/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    return identity


def test_a_managed_identity_gets_one_token_for_all_threads(
    open_azure: OpenAzure, over_tls: dict[str, Any], identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {**over_tls, "storage_account_key": "", "user_assigned_id": "of-the-gateway"}
    with caplog.at_level(logging.DEBUG):
        store = open_azure(**settings)
        store.put("object", b"content")
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(lambda _: store.get_range("object", 0, 7), range(32))) == {b"content"}
    assert len(identity.given) == 1
    assert "of-the-gateway" in identity.asked[0].query.values()
    assert identity.given[0] not in caplog.text


def test_an_identity_that_gives_no_token_is_denied(
    open_azure: OpenAzure, over_tls: dict[str, Any], identity: Identity
) -> None:
    identity.broken = True
    store = open_azure(**{**over_tls, "storage_account_key": "", "user_assigned_id": "of-the-gateway"})
    with pytest.raises(DeniedError, match=r"cannot get a token: .*user_assigned_id"):
        store.get("object")


def test_tokens_are_not_sent_in_the_clear(azure_server: AzureServer, open_azure: OpenAzure) -> None:
    with pytest.raises(ConfigurationError, match="tokens are sent over https only"):
        open_azure(**azure_server.config(storage_account_key="", user_assigned_id="of-the-gateway"))


def test_a_server_that_ends_is_unavailable_and_found_again(
    open_azure: OpenAzure, tmp_path_factory: pytest.TempPathFactory
) -> None:
    process = azure_process(tmp_path_factory.mktemp("azure"))
    process.start()
    store = open_azure(**AzureServer(process).config())
    store.put("object", b"content")
    process.kill()
    with pytest.raises(UnavailableError):
        store.get("object")
    process.start()
    assert list(store.list()) == []  # Azurite kept nothing
    process.kill()
