"""Remote read is behind the TLS and the users of the HTTP front end: a real Prometheus with and without a password."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from remote_read.blocks import END
from remote_read.client import CHUNKS, encode_request, post, query
from servers.process import wait_for
from servers.prometheus import Prometheus

ASK = encode_request([query(0, END, (0, "__name__", "up"))], [CHUNKS])
RIGHT = {"Authorization": "Basic cmVhZGVyOnJpZ2h0"}  # reader:right
WRONG = {"Authorization": "Basic cmVhZGVyOndyb25n"}  # reader:wrong
WAIT = 60.0
REMOTE_READ = """\
remote_read:
  - url: http://{address}/api/v1/read
    read_recent: true
    basic_auth: {{username: reader, password: {password}}}
"""


@pytest.fixture(scope="module")
def protected(start_store: Callable[..., Any], bucket: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("config")
    password = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    (folder / "web.yml").write_text(f'basic_auth_users: {{reader: "{password}"}}\n')
    (folder / "storegate.yml").write_text("frontends: [{type: grpc}, {type: http}, {type: remote-read}]\n")
    flags = [f"--config={folder / 'storegate.yml'}", f"--http.config={folder / 'web.yml'}"]
    with start_store(bucket, flags, ready=False) as store:
        wait_for(lambda: answers(store), WAIT, "it does not get ready")
        yield store


def answers(store: Any) -> bool:
    try:
        return post(store.http_address, ASK, headers=RIGHT).status == 200
    except OSError:
        return False  # not listening yet


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), (WRONG, 401), (RIGHT, 200)],
)
def test_only_users_read(protected: Any, headers: dict[str, str], status: int) -> None:
    answer = post(protected.http_address, ASK, headers=headers)
    assert answer.status == status
    assert (b"web-0:80" in answer.body) == (status == 200)


@pytest.mark.parametrize(("password", "warned"), [("right", False), ("wrong", True)])
def test_prometheus_reads_with_its_password(
    start_prometheus: Callable[..., Prometheus], protected: Any, password: str, warned: bool
) -> None:
    server = start_prometheus(REMOTE_READ.format(address=protected.http_address, password=password))
    document = server.api("query", query="up", time=str(END / 1000 - 60))
    assert bool(document["data"]["result"]) != warned
    assert any("401" in warning for warning in document.get("warnings", [])) == warned
