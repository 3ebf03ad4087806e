"""A bucket that refuses the gateway: keys that are wrong, and rights that are taken away, on a server that checks."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from servers.process import ServerProcess, free_port
from servers.s3 import S3Server

from storegate.testing.flaky_proxy import FlakyProxy

POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})


class Guarded:
    """A server that knows one user. `allow` and `forbid` give and take the right to use the bucket."""

    def __init__(self, address: str) -> None:
        import boto3

        keys = {"aws_access_key_id": "admin", "aws_secret_access_key": "admin", "region_name": "us-east-1"}
        self._iam = boto3.client("iam", endpoint_url=f"http://{address}", **keys)
        self._iam.create_user(UserName="gateway")
        self._iam.put_user_policy(UserName="gateway", PolicyName="all", PolicyDocument=POLICY)
        key = self._iam.create_access_key(UserName="gateway")["AccessKey"]
        self.keys = {"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}
        self._address = address

    def check(self, checked: bool) -> None:
        """Whether requests are checked from now on."""
        count = b"0" if checked else b"1000000000"
        url, headers = f"http://{self._address}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(url, count, headers), timeout=10).close()

    def forbid(self) -> None:
        self.check(False)
        self._iam.delete_user_policy(UserName="gateway", PolicyName="all")
        self.check(True)

    def allow(self) -> None:
        self.check(False)
        self._iam.put_user_policy(UserName="gateway", PolicyName="all", PolicyDocument=POLICY)
        self.check(True)


@pytest.fixture(scope="module")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server of its own: checking is a matter of the whole server."""
    port = free_port()
    arguments = ["-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    folder = tmp_path_factory.mktemp("guarded")
    process = ServerProcess(sys.executable, "the dependency group `test`", arguments, port, folder)
    process.start()
    yield S3Server(process)
    process.kill()


@pytest.fixture(scope="module")
def guarded_bucket(guarded_server: S3Server, blocks: Path) -> str:
    name = guarded_server.new_bucket()
    for path in sorted(path for path in blocks.rglob("*") if path.is_file()):
        guarded_server.client.put_object(Bucket=name, Key=str(path.relative_to(blocks)), Body=path.read_bytes())
    return name


@pytest.fixture(scope="module")
def guarded(guarded_server: S3Server, guarded_bucket: str) -> Guarded:
    guarded = Guarded(guarded_server.address)
    guarded.check(True)
    return guarded


@pytest.fixture
def start(start_faulty: Callable[..., Any], guarded_server: S3Server, guarded_bucket: str) -> Callable[..., Any]:
    def start(keys: dict[str, str], *, ready: bool = True) -> Any:
        proxy = FlakyProxy(guarded_server.address)
        return start_faulty(proxy=proxy, config={"bucket": guarded_bucket, **keys}, ready=ready)

    return start


def logged(gateway: Any, text: str) -> str:
    """The log, once the text is in it."""
    until = time.monotonic() + 30
    while text not in (log := gateway.store.logged()):
        assert time.monotonic() < until, log
        time.sleep(0.02)
    return str(log)


@pytest.mark.parametrize("wrong", ["access_key", "secret_key"])
def test_wrong_keys_are_told_at_the_start_and_never_shown(
    start: Callable[..., Any], guarded: Guarded, wrong: str
) -> None:
    keys = guarded.keys | {wrong: f"WRONG{guarded.keys[wrong][5:]}"}
    with start(keys, ready=False) as gateway:
        log = logged(gateway, "the first sync failed")
        assert "no access to" in log
        assert gateway.store.get("/-/ready")[0] == 503
        assert gateway.store.get("/-/healthy")[0] == 200
        began = time.monotonic()
        assert gateway.store.stop() == 0
        assert time.monotonic() - began < 10.0
        assert keys["secret_key"] not in gateway.store.logged()


def test_rights_that_are_taken_away_fail_queries_until_they_are_back(
    start: Callable[..., Any], guarded: Guarded, expected: Any
) -> None:
    with start(guarded.keys) as gateway:
        assert gateway.series() == expected
        guarded.forbid()
        code, text, seconds = gateway.failure()
        assert code in (grpc.StatusCode.ABORTED, grpc.StatusCode.UNKNOWN)
        assert "no access to" in text
        assert guarded.keys["secret_key"] not in text
        assert seconds < 5.0  # nothing is tried again
        guarded.allow()
        assert gateway.series() == expected
