"""The longest command line of the documentation, started as it stands there."""

from __future__ import annotations

import json
import re
import shlex
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from servers.process import ServerProcess, free_port, wait_for
from thanos import flags

DOCS = Path(__file__).resolve().parents[2] / "docs"
FILES = {
    "bucket.yml": "type: FILESYSTEM\nconfig: {directory: $(BUCKET)}\n",
    "relabel.yml": "- {action: keep, source_labels: [region], regex: eu}\n",
    "caching-bucket.yml": "type: IN-MEMORY\nconfig: {max_size: 100MB}\n",
    "request-logging.yml": "options: {level: INFO, decision: {log_start: false, log_end: true}}\n",
}


def longest_line() -> list[str]:
    """The arguments of the `storegate store` with most flags."""
    lines = [
        shlex.split(line.replace("\\\n", " "))
        for page in sorted(DOCS.rglob("*.md"))
        for block in re.findall(r"^```bash\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        for line in re.findall(r"storegate store(?:[^\n]|(?<=\\)\n)*", block)
    ]
    return max(lines, key=len)[2:]


@pytest.fixture(scope="module")
def line() -> list[str]:
    return longest_line()


@pytest.fixture(scope="module")
def http_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def store(
    line: list[str], http_port: int, storegate_command: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("line")
    etc, bucket, grpc_port = folder / "etc", folder / "bucket", free_port()
    etc.mkdir()
    bucket.mkdir()
    for name, text in FILES.items():
        (etc / name).write_text(text.replace("$(BUCKET)", str(bucket)))
    Authority(etc).issue()
    places = {
        "/etc/thanos/": f"{etc}/",
        "/var/thanos/": f"{folder}/",
        "0.0.0.0:10902": f"127.0.0.1:{http_port}",
        "0.0.0.0:10901": f"127.0.0.1:{grpc_port}",
    }
    arguments = [*storegate_command[1:], "store"]
    for argument in line:
        for place, here in places.items():
            argument = argument.replace(place, here)
        arguments.append(argument)
    server = ServerProcess(storegate_command[0], "", arguments, grpc_port, folder)
    server.start()
    try:
        wait_for(lambda: "status=ready" in server.output(), 30, "it did not become ready")
        yield server
    finally:
        server.kill()


def get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return answer.read()


def test_it_is_a_long_line_of_flags_of_the_reference(line: list[str]) -> None:
    names = {re.fullmatch(r"--(?:no-)?([\w.-]+?)(?:=.*)?", argument, re.DOTALL)[1] for argument in line}
    assert len(names) > 40
    assert names <= {fact.name for fact in flags()}


def test_it_becomes_ready(store: ServerProcess, http_port: int) -> None:
    assert get(http_port, "/-/ready") == b"OK"


def test_what_has_no_effect_is_said_once(store: ServerProcess) -> None:
    said = [line for line in store.output().splitlines() if "has no effect" in line]
    named = sorted(re.search(r"--[\w.-]+", line)[0] for line in said)
    assert named == ["--auto-gomemlimit.ratio", "--enable-auto-gomemlimit", "--grpc-server-tls-curves"]


def test_flags_are_in_force(store: ServerProcess, http_port: int) -> None:
    shown = json.loads(get(http_port, "/api/v1/status/flags"))["data"]
    assert shown["sync-block-duration"] == "15m0s"
    assert shown["store.limits.request-samples"] == "50000000"
    assert shown["disable-admin-operations"] == "true"
    assert shown["chunk-pool-size"] == "1GiB"
