"""Bad input harms nothing but itself: damaged blocks, files, settings and plugins against the real command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest

from storegate.testing.block_writer import WrittenBlock, write_block
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

FAKE_PLUGINS = Path(__file__).parents[1] / "unit" / "core" / "fake_plugins"
SAMPLES = [(stamp, float(stamp)) for stamp in range(1000, 9000, 1000)]
SEGMENT_HEADER = 8  # bytes before the first chunk
END = 10_000  # ms
BAD_INDEXES = ("truncated", "flipped", "missing")
BAD_METAS = ("corrupt", "cut", "version7")
OFTEN = ("--sync-block-duration=200ms",)
WAIT = 30.0  # s


class Damaged(NamedTuple):
    """A bucket of sound and damaged blocks. `blocks` are by region; `offset` is where the damaged chunk begins."""

    bucket: Path
    blocks: dict[str, WrittenBlock]
    offset: int

    def path(self, region: str, name: str) -> Path:
        return self.bucket / self.blocks[region].ulid / name


def flip(file: Path, offset: int) -> None:
    data = bytearray(file.read_bytes())
    data[offset] ^= 0x10
    file.write_bytes(data)


def second_chunk(segment: bytes) -> int:
    """Where the second chunk begins; the first is shorter than 128 bytes: length, encoding, data, checksum."""
    assert segment[SEGMENT_HEADER] < 128
    return SEGMENT_HEADER + 1 + 1 + segment[SEGMENT_HEADER] + 4


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Damaged:
    bucket = tmp_path_factory.mktemp("bucket")
    regions = ("sound", "other", *BAD_INDEXES, *BAD_METAS)
    blocks = {
        region: write_block(bucket, [({"__name__": "up"}, SAMPLES)], external_labels={"region": region}, seed=region)
        for region in regions
    }
    for region, options in (("chunk", {}), ("segment", {"segment_size": 1})):
        pairs = [({"__name__": f"{region}_{name}"}, SAMPLES) for name in ("first", "second")]
        blocks[region] = write_block(bucket, pairs, external_labels={"region": region}, seed=region, **options)
    segment = bucket / blocks["chunk"].ulid / "chunks" / "000001"
    offset = second_chunk(segment.read_bytes())
    result = Damaged(bucket, blocks, offset)
    flip(segment, offset + 6)
    result.path("segment", "chunks/000002").unlink()
    _damage_indexes(result)
    _damage_metas(result)
    return result


def _damage_indexes(damaged: Damaged) -> None:
    truncated = damaged.path("truncated", "index")
    truncated.write_bytes(truncated.read_bytes()[:-40])
    flipped = damaged.path("flipped", "index")
    table = int.from_bytes(flipped.read_bytes()[-12:-4], "big")  # the last entry of the TOC
    flip(flipped, table + 12)
    damaged.path("missing", "index").unlink()


def _damage_metas(damaged: Damaged) -> None:
    damaged.path("corrupt", "meta.json").write_bytes(b'{"version": 1, "ulid": 7, \x00')
    cut = damaged.path("cut", "meta.json")
    cut.write_bytes(cut.read_bytes()[:100])
    document = dict(damaged.blocks["version7"].document)
    damaged.path("version7", "meta.json").write_text(json.dumps(document | {"version": 7}))


@pytest.fixture(scope="module")
def store(start_store: Any, damaged: Damaged) -> Iterator[Any]:
    with start_store(damaged.bucket, OFTEN) as running:
        yield running


def answer_of(store: Any, metric: str) -> list[Any]:
    request = rpc_pb2.SeriesRequest(min_time=0, max_time=END, matchers=[{"name": "__name__", "value": metric}])
    with grpc.insecure_channel(store.grpc_address) as channel:
        return [frame.series for frame in rpc_pb2_grpc.StoreStub(channel).Series(request, timeout=WAIT)]


def regions_of(store: Any, metric: str) -> list[str]:
    """The regions whose blocks answer, each with all its samples."""
    answer = answer_of(store, metric)
    assert all(series.chunks[0].max_time == SAMPLES[-1][0] for series in answer)
    return sorted(label.value for series in answer for label in series.labels if label.name == "region")


def failure_of(store: Any, metric: str) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        regions_of(store, metric)
    return caught.value.code(), caught.value.details()


def wait_for_syncs(store: Any, count: int) -> None:
    """Until so many more syncs have begun."""
    wanted = metric(store, "thanos_blocks_meta_syncs_total") + count
    until = time.monotonic() + WAIT
    while metric(store, "thanos_blocks_meta_syncs_total") < wanted:
        assert time.monotonic() < until
        time.sleep(0.02)


def metric(store: Any, name: str) -> float:
    lines = store.get("/metrics")[1].decode().splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def problems(log: str, text: str = "") -> list[str]:
    """The warnings and errors that hold the text."""
    return [line for line in log.splitlines() if re.search("level=(warn|error)", line) and text in line]


# --- blocks -----------------------------------------------------------------------------------------------------------


def test_sound_blocks_answer_beside_damaged_ones(store: Any) -> None:
    assert regions_of(store, "up") == ["other", "sound"]


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("truncated", "the checksum of the table of contents does not match (at offset "),
        ("flipped", "the checksum of the postings offset table does not match (at offset "),
        ("missing", "does not exist; the block is damaged, delete it or upload it again"),
    ],
)
def test_a_block_with_a_damaged_index_is_quarantined_in_one_log_line(
    store: Any, damaged: Damaged, region: str, said: str
) -> None:
    wait_for_syncs(store, 3)  # each tries it again, and none repeats the line
    ulid = damaged.blocks[region].ulid
    (line,) = problems(store.logged(), ulid)
    assert "a block cannot be loaded; it is tried again at each sync" in line
    assert f"{ulid}/index" in line
    assert said in line


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("corrupt", "not valid JSON: "),
        ("cut", "not valid JSON: "),
        ("version7", "version 7 is not supported, only 1 is"),
    ],
)
def test_a_block_with_a_bad_meta_stays_out_with_one_log_line(
    store: Any, damaged: Damaged, region: str, said: str
) -> None:
    wait_for_syncs(store, 2)
    ulid = damaged.blocks[region].ulid
    (line,) = problems(store.logged(), ulid)
    assert f"{ulid}/meta.json: {said}" in line


def test_a_quarantined_block_is_served_once_it_is_whole_again(start_store: Any, tmp_path: Path) -> None:
    block = write_block(tmp_path, [({"__name__": "up"}, SAMPLES)], external_labels={"region": "eu"}, seed=1)
    index = tmp_path / block.ulid / "index"
    whole = index.read_bytes()
    index.write_bytes(whole[:-40])
    with start_store(tmp_path, OFTEN) as store:
        assert regions_of(store, "up") == []
        index.write_bytes(whole)
        wait_for_syncs(store, 2)
        assert regions_of(store, "up") == ["eu"]


def test_a_query_that_meets_a_corrupt_chunk_fails_and_names_segment_and_offset(store: Any, damaged: Damaged) -> None:
    code, text = failure_of(store, "chunk_second")
    ulid = damaged.blocks["chunk"].ulid
    what = f"{ulid}/chunks/000001: the checksum of a chunk does not match (at offset {damaged.offset})"
    assert code is grpc.StatusCode.UNKNOWN
    assert text == f"receive series from {ulid}: {what}"


def test_a_query_that_needs_a_missing_segment_fails_and_names_it(store: Any, damaged: Damaged) -> None:
    code, text = failure_of(store, "segment_second")
    assert code is grpc.StatusCode.UNKNOWN
    assert f"no object '{damaged.blocks['segment'].ulid}/chunks/000002'" in text


@pytest.mark.parametrize("region", ["chunk", "segment"])
def test_queries_beside_the_damaged_chunks_succeed(store: Any, region: str) -> None:
    failure_of(store, f"{region}_second")
    assert regions_of(store, f"{region}_first") == [region]
    assert regions_of(store, "up") == ["other", "sound"]


# --- the data directory -----------------------------------------------------------------------------------------------


@contextmanager
def restarted(store: Any) -> Iterator[None]:
    """Runs the same command line, and so the same data directory, once more."""
    assert store.stop() == 0
    with store.log.open("ab") as stderr:
        store.process = subprocess.Popen(store.process.args, stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        store.wait_ready()
        yield
    finally:
        store.stop()


def index_headers(store: Any) -> dict[str, Path]:
    """The local index-headers by ULID."""
    (data_dir,) = (Path(word.partition("=")[2]) for word in store.process.args if word.startswith("--data-dir="))
    return {path.parent.name: path for path in data_dir.glob("*/index-header")}


def damage_header(path: Path, way: str) -> None:
    data = path.read_bytes()
    if way == "flipped":
        flip(path, len(data) // 2)
    else:
        path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "junk": b"junk" * 64}[way])


@pytest.mark.parametrize("flags", [(), ("--store.enable-index-header-lazy-reader",)], ids=["eager", "lazy"])
def test_damaged_local_index_headers_are_rebuilt_at_restart(start_store: Any, tmp_path: Path, flags: Any) -> None:
    ways = ("cut", "empty", "flipped", "junk", "sound")
    for way in ways:
        write_block(tmp_path, [({"__name__": "up"}, SAMPLES)], external_labels={"region": way}, seed=way)
    with start_store(tmp_path, flags) as store:
        before = answer_of(store, "up")
        headers = {path: path.read_bytes() for path in index_headers(store).values()}
        assert len(headers) == len(ways)
        for way, path in zip(ways, headers, strict=True):
            if way != "sound":
                damage_header(path, way)
        with restarted(store):
            assert answer_of(store, "up") == before
        assert {path: path.read_bytes() for path in headers} == headers
        reported = [path for path in headers if problems(store.logged(), str(path))]
    assert reported == list(headers)[:-1]


# --- configuration ----------------------------------------------------------------------------------------------------

BUCKET = "object_store: {type: FILESYSTEM, config: {directory: BUCKET}}\n"


def refusal(storegate_command: Any, tmp_path: Path, *arguments: str) -> str:
    """The one line with which `storegate store` refuses to start; exit code 1."""
    fixed = (f"--data-dir={tmp_path / 'data'}", "--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0")
    command = [*storegate_command, "store", *fixed, *arguments]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=WAIT)
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    (line,) = (line for line in result.stderr.splitlines() if "level=error" in line)
    return line


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            BUCKET + "index_chache: {type: IN-MEMORY}",
            "--config (YAML): index_chache: unknown key, did you mean 'index_cache'?",
        ),
        (BUCKET + "sync: {intervall: 1m}", "--config (YAML): sync.intervall: unknown key, did you mean 'interval'?"),
        ("object_store: {type: MAGIC}", "object_store.type: no object store 'MAGIC' (available: "),
        (
            BUCKET + "meta_filters: [{type: deduplicated}]",
            "meta_filters[0].type: no meta filter 'deduplicated', did you mean 'deduplicate'? (available: "
            "consistency-delay, deduplicate, expression, ignore-deletion-mark, label-shard, time-partition)",
        ),
        (
            BUCKET.replace("BUCKET", "BUCKET/gone"),
            "'BUCKET/gone' is not a folder; create it or set another `directory`",
        ),
    ],
    ids=["unknown key", "unknown key in a section", "unknown type", "misspelt type", "missing folder"],
)
def test_a_wrong_configuration_file_is_refused_in_one_line(
    storegate_command: Any, tmp_path: Path, document: str, said: str
) -> None:
    bucket, file = tmp_path / "bucket", tmp_path / "storegate.yml"
    bucket.mkdir()
    file.write_text(document.replace("BUCKET", str(bucket)))
    line = refusal(storegate_command, tmp_path, f"--config={file}")
    assert said.replace("BUCKET", str(bucket)).replace("YAML", str(file)) in line


# --- plugins ----------------------------------------------------------------------------------------------------------

LOST = "ModuleNotFoundError: No module named 'no_such_package'"
MISSPELT = "storegate_cachs is no hook of storegate, did you mean 'storegate_caches'?"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes distributions of `fake_plugins` look installed for the processes of one test."""

    def _install(cases: Sequence[str]) -> None:
        before = [path for path in (os.environ.get("PYTHONPATH"),) if path]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*(str(FAKE_PLUGINS / case) for case in cases), *before]))

    return _install


@pytest.mark.parametrize("cases", [["import_error"], ["misspelt"], ["good", "conflict"]], ids="-".join)
def test_a_faulty_plugin_that_is_not_needed_does_not_stop_the_gateway(
    install: Any, start_store: Any, tmp_path: Path, cases: list[str]
) -> None:
    write_block(tmp_path, [({"__name__": "up"}, SAMPLES)], external_labels={"region": "eu"}, seed=1)
    install(cases)
    with start_store(tmp_path) as store:
        assert regions_of(store, "up") == ["eu"]


@pytest.mark.parametrize(
    ("cases", "row"),
    [
        (["import_error"], ("broken", "lost", "storegate-lost", "2.0", LOST)),
        (["misspelt"], ("broken", "misspelt", "storegate-misspelt", "1.0", MISSPELT)),
        (["good", "conflict"], ("conflict", "rival", "storegate-rival", "3.1", "write Acme@storegate-rival")),
        (["good", "conflict"], ("conflict", "acme", "storegate-acme", "1.2", "write ACME@storegate-acme")),
    ],
    ids=["import", "misspelt", "conflict", "other side of the conflict"],
)
def test_plugins_list_shows_a_faulty_plugin_and_its_cause(
    install: Any, storegate_command: Any, cases: list[str], row: tuple[str, ...]
) -> None:
    install(cases)
    command = [*storegate_command, "plugins", "list"]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=WAIT)
    assert result.returncode == 0
    *columns, cause = row
    (line,) = (line for line in result.stdout.splitlines() if re.search(" +".join(columns), line))
    assert cause in line


@pytest.mark.parametrize(
    ("cases", "setting", "said"),
    [
        (["import_error"], "index_cache: {type: LOST}", ("index_cache.type: ", "storegate-lost 2.0", LOST)),
        (["misspelt"], "index_cache: {type: MISSPELT}", ("index_cache.type: ", "storegate-misspelt 1.0", MISSPELT)),
        (["misspelt"], "index_cache: {type: SPELT}", ("index_cache.type: ", "storegate-misspelt 1.0", MISSPELT)),
        (
            ["good", "conflict"],
            "object_store: {type: ACME}",
            ("object_store.type: ", "storegate-acme 1.2 and storegate-rival 3.1", "write 'ACME@storegate-acme' or "),
        ),
    ],
    ids=["import", "misspelt", "misspelt, by its provider", "conflict"],
)
def test_a_faulty_plugin_that_is_needed_stops_the_start_in_one_line(
    install: Any, storegate_command: Any, tmp_path: Path, cases: list[str], setting: str, said: tuple[str, ...]
) -> None:
    install(cases)
    file = tmp_path / "storegate.yml"
    bucket = "" if "object_store" in setting else BUCKET.replace("BUCKET", str(tmp_path))
    file.write_text(bucket + setting)
    line = refusal(storegate_command, tmp_path, f"--config={file}")
    assert [text for text in said if text not in line] == []
