"""`docs/tutorial/prometheus.md`, done as written: only folders and ports are those of the test."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.process import free_port

from storegate.testing.demo_bucket import write_demo_bucket

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/tutorial/prometheus.md").read_text(encoding="utf-8")
WAIT = 60.0


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


class Tutorial:
    """A folder in which the page is worked through."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changes = {"/srv/blocks": str(folder / "blocks")}
        self.changes |= {f":{port}": f":{free_port()}" for port in (10902, 9090)}
        self.started: list[subprocess.Popen[bytes]] = []

    def own(self, text: str) -> str:
        """The text of the page with the folders and ports of this test."""
        for written, real in self.changes.items():
            text = text.replace(written, real)
        return text

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(self.own(text), encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def start(self, command: str) -> None:
        """Run a command of the page that goes on until the end."""
        with (self.folder / f"{len(self.started)}.log").open("wb") as log:
            self.started.append(
                subprocess.Popen(
                    ["bash", "-c", f"exec {self.own(command)}"],
                    cwd=self.folder,
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                )
            )

    def run(self, command: str) -> str:
        """The output of a command of the page."""
        done = subprocess.run(
            ["bash", "-c", self.own(command)], cwd=self.folder, capture_output=True, text=True, timeout=WAIT
        )
        return done.stdout

    def stop(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tutorial]:
    made = Tutorial(tmp_path_factory.mktemp("tutorial"))
    (made.folder / "blocks").mkdir()
    write_demo_bucket(made.folder / "blocks", int(time.time() * 1000))
    (storegate_config,) = blocks("yaml")
    prometheus_config, _ = blocks("yml")
    serve, wait, prometheus, _ = blocks("bash")
    made.write(
        "storegate.yml", storegate_config.replace("{type: grpc}", '{type: grpc, config: {address: "127.0.0.1:0"}}')
    )
    made.write("prometheus.yml", prometheus_config)
    made.start(serve)
    assert made.run(wait) == "OK"
    made.start(prometheus)
    yield made
    made.stop()


def ask(tutorial: Tutorial, query: str) -> list[dict[str, object]]:
    """The answer, as soon as Prometheus is up."""
    until = time.monotonic() + WAIT
    while not (output := tutorial.run(query)):
        assert time.monotonic() < until
        time.sleep(0.05)
    document = json.loads(output)
    assert (document["status"], document.get("warnings")) == ("success", None)
    return list(document["data"]["result"])


def test_the_query_of_the_page_has_an_answer(tutorial: Tutorial) -> None:
    *_, query = blocks("bash")
    result = ask(tutorial, query)
    assert sorted(entry["metric"]["service"] for entry in result) == ["catalog", "checkout", "payments"]  # type: ignore[index]
    assert all(len(entry["values"]) > 60 for entry in result)  # type: ignore[arg-type]


def test_replicas_are_one_as_the_page_says(tutorial: Tutorial) -> None:
    *_, query = blocks("bash")
    result = ask(tutorial, query.replace("sum by (service) (rate(http_requests_total[5m]))", "up"))
    assert {entry["metric"].get("replica") for entry in result} == {None}  # type: ignore[attr-defined]
    assert len({json.dumps(entry["metric"], sort_keys=True) for entry in result}) == len(result)


def test_grafana_would_find_the_data_source(tutorial: Tutorial) -> None:
    """Grafana is not here; what it needs of the URL is, and it asks with POST, as its file says."""
    _, source = blocks("yml")
    url = re.findall(r'url: "(.*?)"', tutorial.own(source))[0]
    form = f"curl -s {url}/api/v1/query -d query=up -d time=$(date -d '-3 hours' +%s)"
    assert "jsonData: {httpMethod: POST}" in source
    assert ask(tutorial, form)
    assert json.loads(tutorial.run(f"curl -s {url}/api/v1/status/buildinfo"))["status"] == "success"
