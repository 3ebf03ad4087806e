"""Fixtures that start stores with the protocol of S3: moto in a process of its own, and a scripted one."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from servers.process import ServerProcess, free_port
from servers.scripted import Answer, Script, ScriptedServer

ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "secret/of+tests"
PAGE = 50
"""Entries of one page of a listing: few, so that tests need few objects for several pages."""

StartScripted = Callable[..., ScriptedServer]


class S3Server:
    """A store that knows every key. `address` is its endpoint, plain HTTP."""

    def __init__(self, process: ServerProcess) -> None:
        self.process = process
        self.address = process.address
        self.client = client(process.address)

    def new_bucket(self, region: str = "us-east-1") -> str:
        """The name of a new, empty bucket."""
        name = f"bucket-{secrets.token_hex(6)}"
        place: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.client.create_bucket(Bucket=name, **(place if region != "us-east-1" else {}))
        return name

    def config(self, bucket: str, **more: Any) -> dict[str, Any]:
        """Settings of the plugin for a bucket of this server."""
        keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
        return {"bucket": bucket, "endpoint": self.address, "insecure": True, **keys, **more}


def client(address: str) -> Any:
    """Amazon's own client: what tests compare with."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=f"http://{address}",
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server that all tests share: each uses buckets of its own."""
    port = free_port()
    moto = [f"MOTO_S3_DEFAULT_MAX_KEYS={PAGE}", sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = ServerProcess("env", "coreutils", moto, port, tmp_path_factory.mktemp("s3"))
    process.start()
    yield S3Server(process)
    process.kill()


@pytest.fixture
def start_scripted() -> Iterator[StartScripted]:
    """Starts servers that answer by a script; without one they answer 200 and nothing."""
    with ExitStack() as stack:

        def start(script: Script = lambda asked: Answer(), context: Any = None) -> ScriptedServer:
            server = ScriptedServer(script, context)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An environment in which Amazon's SDK finds nothing, and asks nobody for it."""
    nothing = tmp_path_factory.mktemp("aws") / "none"
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "DEFAULT_REGION", "REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("ROLE_ARN", "WEB_IDENTITY_TOKEN_FILE", "CONTAINER_CREDENTIALS_RELATIVE_URI"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nothing))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nothing))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def open_s3() -> Iterator[Callable[..., Any]]:
    """Opens stores of the plugin by its settings, and closes them."""
    from storegate import PluginContext
    from storegate_s3.config import S3Config
    from storegate_s3.store import open_store

    with ExitStack() as stack:

        def open_s3(**settings: Any) -> Any:
            log, registry = structlog.get_logger(), CollectorRegistry()
            store = open_store(S3Config.model_validate(settings), PluginContext(name="S3", log=log, registry=registry))
            stack.callback(store.close)
            return store

        yield open_s3
