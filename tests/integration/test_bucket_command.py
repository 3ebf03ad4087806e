"""`storegate bucket` as an operator runs it: over the conformance corpus, over the demo's bucket, piped and on a
terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storegate.testing import read_block
from storegate.testing.demo_bucket import write_demo_bucket

CORPUS = Path(__file__).parents[1] / "conformance" / "data" / "bucket.tar.gz"
SECONDS = 120

DAMAGED = {
    "01M8268BRJPY474NRJME4E8Y6Z": ("meta.json", "meta"),
    "01M8268BRJPY474NRJME4E8Y8D": ("index", "object-missing"),
    "01M8268BRJPY474NRJME4E8Y9M": ("index", "index-toc"),
    "01M8268BRJPY474NRJME4E8YAV": ("index", "index-header"),
}
"""The blocks of the corpus that are broken on purpose: the object, and the code of the problem."""
PARTIAL = "01M8268BRJPY474NRJME4E8Y5R"
OTHER_STATES = {
    PARTIAL: "partial",
    "01M8268BRJPY474NRJME4E8Y6Z": "corrupt",
    "01M8268BRJPY474NRJME4E8Y8D": "broken",
    "01M8268BRJPY474NRJME4E8Y9M": "broken",
    "01M8268BRJPY474NRJME4E8YAV": "broken",
    "01M8268BRJPY474NRJME4E8Y23": "filtered",  # marked for deletion long ago
    "01M8268C18VVF62018YAYFMVNX": "filtered",  # compacted into another one
    "01M8268C2XYDJBJD6EY34WXWV3": "filtered",
}

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    with tarfile.open(CORPUS) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    write_demo_bucket(folder, int(time.time() * 1000))
    return folder


@pytest.fixture(scope="module")
def run(storegate_command: list[str]) -> Run:
    def call(bucket: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(storegate_command, bucket, *arguments), capture_output=True, text=True, timeout=SECONDS
        )

    return call


def command(storegate: list[str], bucket: Path, *arguments: str) -> list[str]:
    place = f"--objstore.config={{type: FILESYSTEM, config: {{directory: {bucket}}}}}"
    return [*storegate, "bucket", arguments[0], place, *arguments[1:]]


def on_terminal(arguments: list[str], columns: int) -> tuple[int, str]:
    """Exit code and everything that a program writes to a terminal of this width."""
    parent, child = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "50", "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(arguments, stdin=child, stdout=child, stderr=child, env=environment)
    os.close(child)
    written = b""
    while True:
        try:
            data = os.read(parent, 65536)
        except OSError:  # the program has ended
            break
        if not data:
            break
        written += data
    os.close(parent)
    return process.wait(SECONDS), written.decode()


def shown(text: str) -> list[str]:
    """The lines that are left to see: without colours, and without what was drawn over."""
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    return [line.rpartition("\r")[2] for line in plain.replace("\r\n", "\n").rstrip("\n").split("\n")]


@pytest.fixture(scope="module")
def verified(run: Run, corpus: Path) -> Any:
    """What is said of the corpus."""
    done = run(corpus, "verify", "--all", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    return json.loads(done.stdout)


class TestCorpus:
    def test_the_states_are_those_of_a_gateway(self, run: Run, corpus: Path) -> None:
        rows = json.loads(run(corpus, "ls", "--load", "--json").stdout)
        assert {row["ulid"]: row["state"] for row in rows if row["state"] != "ok"} == OTHER_STATES
        assert len(rows) == 25

    def test_a_gateway_loads_what_is_ok(self, run: Run, corpus: Path, start_store: Any) -> None:
        rows = json.loads(run(corpus, "ls", "--load", "--json").stdout)
        with start_store(corpus) as store:
            metrics = store.get("/metrics")[1].decode()
        loaded = re.search(r"^thanos_bucket_store_blocks_loaded (\S+)$", metrics, re.M)
        assert loaded is not None
        assert float(loaded[1]) == sum(row["state"] == "ok" for row in rows)

    def test_just_the_broken_blocks_are_damaged(self, verified: Any) -> None:
        damaged = {
            block["ulid"]: [(problem["object"], problem["code"]) for problem in block["problems"]]
            for block in verified["blocks"]
            if not block["sound"]
        }
        assert damaged == {ulid: [problem] for ulid, problem in DAMAGED.items()}
        assert verified["passed_over"] == [PARTIAL]

    def test_sound_blocks_have_no_warnings_either(self, verified: Any) -> None:
        assert [block["problems"] for block in verified["blocks"] if block["sound"]] == [[]] * 20

    def test_counts_are_those_of_the_obvious_reader(self, verified: Any, corpus: Path) -> None:
        for found in verified["blocks"]:
            if found["sound"]:
                block = read_block(corpus / found["ulid"])
                series = block.series()
                assert (found["series"], found["chunks"]) == (len(series), sum(len(one.chunks) for one in series))
                assert found["samples"] == sum(len(block.samples(one)) for one in series)

    def test_promtool_counts_the_same_in_raw_blocks(self, verified: Any, corpus: Path, tmp_path: Path) -> None:
        sound = [found for found in verified["blocks"] if found["sound"]]
        raw = [found for found in sound if not read_block(corpus / found["ulid"]).resolution]
        for found in raw:
            shutil.copytree(corpus / found["ulid"], tmp_path / found["ulid"])
        (tmp_path / "wal").mkdir()
        done = subprocess.run(["promtool", "tsdb", "list", tmp_path], capture_output=True, text=True, check=True)
        listed = {line.split()[0]: line.split()[-4:-1] for line in done.stdout.splitlines()[1:]}
        assert listed == {found["ulid"]: [str(found[key]) for key in ("samples", "chunks", "series")] for found in raw}

    def test_inspect_sums_up_all_blocks_with_a_meta(self, run: Run, corpus: Path) -> None:
        document = json.loads(run(corpus, "inspect", "--json").stdout)
        assert sum(group["blocks"] for group in document["groups"]) == 23
        assert document["without_meta"] == [PARTIAL, "01M8268BRJPY474NRJME4E8Y6Z"]
        levels = {(group["resolution"], group["level"]) for group in document["groups"]}
        assert levels == {(0, 1), (0, 2), (0, 4), (300_000, 4), (3_600_000, 4)}

    def test_inspect_shows_each_block(self, run: Run, corpus: Path) -> None:
        ulids = sorted(path.name for path in corpus.iterdir() if path.name.startswith("01M"))
        done = run(corpus, "inspect", *ulids)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.findall(r"^Block +(\S+)$", done.stdout, re.M) == ulids


class TestDemo:
    def test_all_blocks_are_sound(self, run: Run, demo: Path) -> None:
        done = run(demo, "verify", "--all")
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert (len(lines), lines[-1].endswith(": 72 sound")) == (73, True)

    def test_all_blocks_are_listed(self, run: Run, demo: Path) -> None:
        rows = json.loads(run(demo, "ls", "--load", "--json").stdout)
        assert ({row["state"] for row in rows}, len(rows)) == ({"ok"}, 72)

    def test_damage_in_one_of_them_is_found(self, run: Run, demo: Path, tmp_path: Path) -> None:
        ulid = min(path.name for path in demo.iterdir())
        shutil.copytree(demo / ulid, tmp_path / ulid)
        path = tmp_path / ulid / "chunks/000001"
        segment = bytearray(path.read_bytes())
        middle = len(segment) // 2
        segment[middle] ^= 4
        path.write_bytes(segment)
        done = run(tmp_path, "verify", ulid)
        assert done.returncode == 1
        line = done.stdout.splitlines()[1]
        offset = re.match(
            r"    chunks/000001 at (\d+): the checksum of a chunk .* \[chunk\], series \d+ \{__name__=.*\}$", line
        )
        assert offset is not None
        assert 0 <= middle - int(offset[1]) < 2000


class TestTerminal:
    @pytest.mark.parametrize("arguments", [["ls", "--load"], ["inspect"], ["verify", "--all"]], ids=lambda a: a[0])
    @pytest.mark.parametrize("columns", [80, 200])
    def test_no_line_is_longer_than_the_terminal(
        self, storegate_command: list[str], corpus: Path, arguments: list[str], columns: int
    ) -> None:
        _, text = on_terminal(command(storegate_command, corpus, *arguments), columns)
        assert [line for line in shown(text) if len(line) > columns] == []

    def test_a_wide_terminal_has_a_line_for_each_block(self, storegate_command: list[str], demo: Path) -> None:
        _, text = on_terminal(command(storegate_command, demo, "ls"), 200)
        lines = shown(text)
        assert (len(lines), lines[-1].endswith(": 72 ok")) == (74, True)

    def test_the_bar_is_drawn_and_gone_at_the_end(self, storegate_command: list[str], demo: Path) -> None:
        code, text = on_terminal(command(storegate_command, demo, "verify", "--all"), 80)
        assert code == 0
        assert re.search(r"\[[#-]+\] +\d+%", text)
        assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")  # the cursor is back
        lines = shown(text)
        assert [line for line in lines if "%" in line] == []
        assert (len(lines), lines[-1].endswith(": 72 sound")) == (73, True)

    def test_nothing_but_text_goes_into_a_pipe(self, run: Run, demo: Path) -> None:
        for arguments in (["ls"], ["inspect"], ["verify", "--all"]):
            done = run(demo, *arguments)
            assert (done.stderr, "\x1b" in done.stdout, "\r" in done.stdout) == ("", False, False)


class TestObjectStore:
    """Over a store with requests and retries; the secret goes through a file, as operators have it."""

    @pytest.fixture
    def place(self, s3_server: Any, corpus: Path, tmp_path: Path) -> str:
        name = s3_server.new_bucket()
        for path in (path for path in corpus.rglob("*") if path.is_file()):
            s3_server.client.put_object(Bucket=name, Key=f"blocks/{path.relative_to(corpus)}", Body=path.read_bytes())
        file = tmp_path / "bucket.yml"
        file.write_text(json.dumps({"type": "S3", "prefix": "blocks", "config": s3_server.config(name)}))
        return f"--objstore.config-file={file}"

    def test_blocks_are_found_and_verified_as_in_a_folder(self, storegate_command: list[str], place: str) -> None:
        def call(*arguments: str) -> Any:
            arguments = (*storegate_command, "bucket", arguments[0], place, *arguments[1:], "--json")
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=SECONDS)
            assert done.stderr == ""
            return json.loads(done.stdout)

        states = {row["ulid"]: row["state"] for row in call("ls", "--load")}
        assert {ulid: state for ulid, state in states.items() if state != "ok"} == OTHER_STATES
        verified = call("verify", "--all")
        assert {block["ulid"] for block in verified["blocks"] if not block["sound"]} == set(DAMAGED)

    def test_a_store_that_is_not_there_is_one_line(self, storegate_command: list[str], tmp_path: Path) -> None:
        config: dict[str, Any] = {"bucket": "b", "endpoint": "127.0.0.1:1", "insecure": True, "max_retries": 1}
        config |= {"access_key": "a", "secret_key": "hush"}
        file = tmp_path / "bucket.yml"
        file.write_text(json.dumps({"type": "S3", "config": config}))
        done = subprocess.run(
            [*storegate_command, "bucket", "ls", f"--objstore.config-file={file}"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert done.stderr.startswith("storegate: error: ")
        assert "hush" not in done.stderr
