"""`storegate demo` works as a newcomer runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

SECONDS = 120
SHOWN = [
    (metric, cluster, f"checkout-{number}:8080")
    for metric in ("http_request_duration_seconds", "http_requests_total")
    for cluster in ("eu", "us")
    for number in range(3)
]


class Demo:
    """A running demo; `output` is what it printed until it began to wait."""

    def __init__(self, process: subprocess.Popen[str], output: str) -> None:
        self.process = process
        self.output = output

    @property
    def folder(self) -> Path:
        return Path(re.findall(r"^Bucket  (\S+)$", self.output, re.M)[0]).parent


def rows(output: str) -> list[list[str]]:
    """The cells of the table's lines."""
    lines = output.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("metric "))
    return [line.split() for line in lines[first + 1 : lines.index("", first)]]


@pytest.fixture(scope="module")
def once(storegate_command: list[str], tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("tmp"))}
    return subprocess.run(
        [*storegate_command, "demo", "--once"], capture_output=True, text=True, timeout=SECONDS, env=environment
    )


@pytest.fixture(scope="module")
def running(storegate_command: list[str]) -> Iterator[Demo]:
    process = subprocess.Popen([*storegate_command, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Serving"):
            break
    yield Demo(process, "".join(lines))
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_once_ends_well_and_silently(once: subprocess.CompletedProcess[str]) -> None:
    assert (once.returncode, once.stderr) == (0, "")


def test_the_answer_is_shown_as_a_table(once: subprocess.CompletedProcess[str]) -> None:
    assert [tuple(row[:3]) for row in rows(once.stdout)] == SHOWN


def test_the_table_counts_chunks_and_samples_of_folded_replicas(once: subprocess.CompletedProcess[str]) -> None:
    counted = {(row[0], row[1]): (row[3], row[4]) for row in rows(once.stdout)}
    assert counted == {
        ("http_request_duration_seconds", "eu"): ("6", "720"),
        ("http_request_duration_seconds", "us"): ("3", "360"),
        ("http_requests_total", "eu"): ("12", "1440"),
        ("http_requests_total", "us"): ("6", "720"),
    }


def test_nothing_is_left_in_the_temporary_folder(once: subprocess.CompletedProcess[str]) -> None:
    bucket = Path(re.findall(r"^Bucket  (\S+)$", once.stdout, re.M)[0])
    assert "storegate-demo-" in str(bucket)
    assert not bucket.parent.exists()


def test_the_python_command_that_is_suggested_works(running: Demo) -> None:
    command = next(line.strip() for line in running.output.splitlines() if "python -c" in line)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, timeout=SECONDS, env={**os.environ, "PATH": path}
    )
    assert done.stdout == "['catalog', 'checkout', 'payments']\n", done.stderr


def test_the_addresses_that_are_suggested_answer(running: Demo) -> None:
    urls = re.findall(r"curl (?:-s )?(http://\S+)", running.output)
    answers = {url.partition("/-/")[1] or "metrics": urllib.request.urlopen(url, timeout=30).read() for url in urls}
    assert len(urls) == 2
    assert b"thanos_bucket_store_blocks_loaded 72" in answers["metrics"]


def test_a_signal_ends_it_and_removes_its_folder(running: Demo) -> None:
    assert running.folder.exists()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(SECONDS) == 0
    assert not running.folder.exists()
