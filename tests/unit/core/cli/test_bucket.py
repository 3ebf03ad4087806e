"""`storegate bucket` over folders of small blocks, in this process."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from storegate.block.verify import verify_block
from storegate.cli import root
from storegate.cli.bucket import verify as verify_module
from storegate.errors import UnavailableError
from storegate.testing import write_block

HOUR = 3_600_000
START = 1_700_000_000_000 - 1_700_000_000_000 % (2 * HOUR)
OTHER = "01HF7YAT00YPRPA8JAB2VS3WEZ"
SAMPLES = [(START + 1000 * n, float(n)) for n in range(100)]
ROW_KEYS = {
    "ulid", "state", "reason", "filter", "created", "labels", "min_time", "max_time", "from", "until", "resolution",
    "level", "source", "uploaded", "series", "samples", "chunks", "size", "index_size", "chunks_size", "segments",
    "marks", "problems",
}  # fmt: skip


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


class Folder:
    """A bucket in a folder, and the command over it."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capsys = capsys
        self._number = 0

    def write(self, pods: int = 1, **options: Any) -> str:
        """A block of so many series; each block is one minute younger than the one before."""
        self._number += 1
        given = {
            "seed": self._number,
            "created": START + 2 * HOUR + 60_000 * self._number,
            "external_labels": {"cluster": "eu"},
            "min_time": START,
            "max_time": START + 2 * HOUR,
        }
        series = [({"__name__": "up", "pod": f"p-{n}"}, SAMPLES) for n in range(pods)]
        return write_block(self.path, series, **(given | options)).ulid

    def put(self, ulid: str, path: str, data: bytes | dict[str, Any]) -> None:
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        (self.path / ulid / path).write_bytes(content)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr of `storegate bucket`."""
        place = f"--objstore.config={{type: FILESYSTEM, config: {{directory: {self.path}}}}}"
        code = root.run(["bucket", arguments[0], place, *arguments[1:]])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def json(self, *arguments: str) -> Any:
        code, out, err = self.run(*arguments, "--json")
        assert (code in (0, 1), err) == (True, "")
        return json.loads(out)

    def rows(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """The list of `ls`, by ULID."""
        return {row["ulid"]: row for row in self.json("ls", *arguments)}


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Folder:
    path = tmp_path / "bucket"
    path.mkdir()
    return Folder(path, capsys)


def deletion_mark(ulid: str, details: str) -> dict[str, Any]:
    """Set at 2023-11-14 22:13:20 UTC."""
    return {"id": ulid, "version": 1, "deletion_time": 1_700_000_000, "details": details}


class TestStates:
    def test_a_good_block_is_ok(self, folder: Folder) -> None:
        ulid = folder.write(pods=3, source="sidecar")
        row = folder.rows()[ulid]
        assert set(row) == ROW_KEYS
        assert (row["state"], row["reason"], row["problems"], row["marks"]) == ("ok", "", [], {})
        assert (row["series"], row["chunks"], row["samples"], row["level"]) == (3, 3, 300, 1)
        assert (row["min_time"], row["from"]) == (START, "2023-11-14T22:00:00Z")
        assert (row["labels"], row["resolution"], row["source"]) == ({"cluster": "eu"}, 0, "sidecar")
        sizes = {path: (folder.path / ulid / path).stat().st_size for path in ("index", "meta.json", "chunks/000001")}
        assert (row["size"], row["index_size"]) == (sum(sizes.values()), sizes["index"])
        assert (row["chunks_size"], row["segments"]) == (sizes["chunks/000001"], 1)

    def test_without_a_meta_it_is_partial(self, folder: Folder) -> None:
        ulid = folder.write()
        (folder.path / ulid / "meta.json").unlink()
        row = folder.rows()[ulid]
        assert (row["state"], row["reason"], row["labels"]) == ("partial", "there is no meta.json", None)
        assert set(row) == ROW_KEYS

    def test_with_a_wrong_meta_it_is_corrupt(self, folder: Folder) -> None:
        ulid = folder.write()
        folder.put(ulid, "meta.json", b"{")
        assert (folder.rows()[ulid]["state"], "not valid JSON" in folder.rows()[ulid]["reason"]) == ("corrupt", True)

    def test_with_a_meta_of_an_unknown_version_it_is_failed(self, folder: Folder) -> None:
        ulid = folder.write(meta={"version": 9})
        row = folder.rows()[ulid]
        assert (row["state"], "version 9 is not supported" in row["reason"]) == ("failed", True)

    @pytest.mark.parametrize(
        ("flags", "reason", "by"),
        [
            (["--min-time=2024-01-01T00:00:00Z"], "time-excluded", "time-partition"),
            (
                ["--selector.relabel-config=[{action: keep, source_labels: [cluster], regex: us}]"],
                "label-excluded",
                "label-shard",
            ),
            (["--consistency-delay=50y"], "too-fresh", "consistency-delay"),
        ],
    )
    def test_filters_work_as_those_of_the_gateway(self, folder: Folder, flags: list[str], reason: str, by: str) -> None:
        ulid = folder.write()
        row = folder.rows(*flags)[ulid]
        assert (row["state"], row["reason"], row["filter"]) == ("filtered", reason, by)

    def test_marks_are_told_and_filtered_by(self, folder: Folder) -> None:
        ulid = folder.write()
        folder.put(ulid, "deletion-mark.json", deletion_mark(ulid, "why"))
        folder.put(ulid, "no-compact-mark.json", {"version": 1, "no_compact_time": 1_700_000_001, "reason": "manual"})
        folder.put(ulid, "no-downsample-mark.json", b"{")
        row = folder.rows()[ulid]
        assert (row["state"], row["reason"]) == ("filtered", "marked-for-deletion")
        assert row["marks"]["deletion"] == {"time": "2023-11-14T22:13:20Z", "reason": "", "details": "why"}
        assert row["marks"]["no_compact"] == {"time": "2023-11-14T22:13:21Z", "reason": "manual", "details": ""}
        broken = row["marks"]["no_downsample"]
        assert (broken["time"], "not valid JSON" in broken["details"]) == (None, True)
        assert folder.rows("--ignore-deletion-marks-delay=50y")[ulid]["state"] == "ok"

    def test_superseded_blocks_are_duplicates(self, folder: Folder) -> None:
        old = folder.write()
        new = folder.write(sources=[old, OTHER], level=2)
        rows = folder.rows()
        assert (rows[new]["state"], rows[old]["state"], rows[old]["reason"]) == ("ok", "filtered", "duplicate")

    def test_a_broken_block_supersedes_nothing(self, folder: Folder) -> None:
        old = folder.write()
        new = folder.write(sources=[old, OTHER], level=2)
        (folder.path / new / "index").unlink()
        rows = folder.rows()
        assert (rows[new]["state"], rows[new]["reason"]) == ("broken", "index is missing")
        assert rows[old]["state"] == "ok"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"downsample": {"resolution": 7}}, "thanos.downsample.resolution 7 is not one of"),
            ({"segment_files": ["x"]}, "thanos.segment_files: 'x' is not a number"),
        ],
    )
    def test_a_meta_that_no_block_can_be_loaded_by_is_broken(
        self, folder: Folder, change: dict[str, Any], reason: str
    ) -> None:
        ulid = folder.write(meta={"thanos": {"labels": {}, **change}})
        row = folder.rows()[ulid]
        assert (row["state"], reason in row["reason"]) == ("broken", True)

    def test_loading_finds_an_index_that_is_broken(self, folder: Folder) -> None:
        old = folder.write()
        new = folder.write(sources=[old, OTHER], level=2, files=False)
        folder.put(new, "index", (folder.path / new / "index").read_bytes()[:-1])
        assert folder.rows()[new]["state"] == "ok"
        rows = folder.rows("--load")
        assert (rows[new]["state"], "table of contents" in rows[new]["reason"]) == ("broken", True)
        assert rows[old]["state"] == "ok"

    def test_objects_that_are_not_as_meta_json_says_are_problems(self, folder: Folder) -> None:
        ulid = folder.write()
        (folder.path / ulid / "chunks/000001").unlink()
        folder.put(ulid, "index", (folder.path / ulid / "index").read_bytes() + b"x")
        missing, size = folder.rows()[ulid]["problems"]
        assert missing == "chunks/000001 is missing"
        assert size.startswith("index has ")


class TestLs:
    def test_an_empty_bucket_has_no_blocks(self, folder: Folder) -> None:
        assert folder.run("ls") == (0, "0 blocks, 0 B\n", "")
        assert folder.json("ls") == []

    def test_a_line_tells_a_block(self, folder: Folder) -> None:
        ulid = folder.write(source="sidecar")
        code, out, err = folder.run("ls")
        assert (code, err) == (0, "")
        head, line = out.splitlines()
        assert head == (
            "ULID                        FROM              UNTIL             RANGE  RES  LVL  SERIES  SAMPLES  CHUNKS"
            "     SIZE  SOURCE   STATE  LABELS"
        )
        assert line.startswith(
            f"{ulid}  2023-11-14 22:00  2023-11-15 00:00     2h  raw    1       1      100       1  "
        )
        assert line.endswith('KiB  sidecar  ok     cluster="eu"')

    def test_what_is_wrong_or_marked_is_said_below(self, folder: Folder) -> None:
        ulid = folder.write()
        folder.put(ulid, "deletion-mark.json", deletion_mark(ulid, "old\x1b"))
        (folder.path / ulid / "index").unlink()
        lines = folder.run("ls")[1].splitlines()[2:]
        assert lines[0] == "    marked-for-deletion (filter ignore-deletion-mark)"
        assert lines[1].startswith("    marked for deletion since 2023-11-14 22:13 (")
        assert lines[1].endswith(r"ago): old\x1b")
        assert lines[2] == "    index is missing"

    def test_blocks_are_chosen_and_sorted(self, folder: Folder) -> None:
        one = folder.write(pods=3)
        two = folder.write(pods=1, external_labels={"cluster": "us"}, min_time=START - HOUR, max_time=START)
        three = folder.write(pods=2, external_labels={"cluster": "us"})
        assert list(folder.rows()) == [two, one, three]
        assert list(folder.rows("--sort=series")) == [two, three, one]
        assert list(folder.rows("--sort=series", "--reverse")) == [one, three, two]
        assert list(folder.rows("--sort=labels", "--sort=ulid")) == [one, two, three]
        assert list(folder.rows("-l", "cluster=us")) == [two, three]
        assert list(folder.rows("-l", 'cluster=~"u."', "--until=2023-11-14T21:00:00Z")) == [two]
        assert list(folder.rows("--from=2023-11-14T22:00:00Z")) == [one, three]
        assert list(folder.rows("--state=filtered")) == []

    def test_the_configuration_file_of_the_gateway_will_do(
        self, folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ulid = folder.write()
        path = tmp_path / "storegate.yml"
        path.write_text(
            f"object_store: {{type: FILESYSTEM, prefix: bucket, config: {{directory: {tmp_path}}}}}\n"
            "time: {min_time: 2024-01-01T00:00:00Z}\nsync: {strategy: concurrent}\n"
        )
        assert root.run(["bucket", "ls", f"--config={path}", "--json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["ulid"], row["reason"], row["size"] > 0) == (ulid, "time-excluded", True)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--selector=a:b"], "'a:b': expected name=\"value\""),
            (['--selector=a=~"("'], "error parsing regexp"),
            (["--from=soon"], "'--from': 'soon' is neither a time"),
            (["--sort=colour"], "'colour' is not one of"),
            (["--state=fine"], "'fine' is not one of"),
            (["--grpc-address=x"], "No such option"),
        ],
    )
    def test_mistakes_are_one_line(self, folder: Folder, arguments: list[str], said: str) -> None:
        code, out, err = folder.run("ls", *arguments)
        assert (code in (1, 2), out, err.count("\n"), said in err) == (True, "", 1, True)

    def test_a_bucket_must_be_given(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert root.run(["bucket", "ls"]) == 1
        assert "an object store is required" in capsys.readouterr().err


class TestInspect:
    def test_blocks_are_summed_up_by_labels_resolution_and_level(self, folder: Folder) -> None:
        sizes = [
            folder.rows()[ulid]["size"] for ulid in (folder.write(pods=2), folder.write(pods=3, min_time=START - HOUR))
        ]
        folder.write(level=2)
        folder.write(external_labels={"cluster": "us"})
        partial = folder.write()
        (folder.path / partial / "meta.json").unlink()
        document = folder.json("inspect")
        assert (document["blocks"], document["states"]) == (5, {"ok": 4, "partial": 1})
        assert document["without_meta"] == [partial]
        assert document["groups"][0] == {
            "labels": {"cluster": "eu"},
            "resolution": 0,
            "level": 1,
            "blocks": 2,
            "min_time": START - HOUR,
            "max_time": START + 2 * HOUR,
            "from": "2023-11-14T21:00:00Z",
            "until": "2023-11-15T00:00:00Z",
            "series": 5,
            "samples": 500,
            "chunks": 5,
            "size": sum(sizes),
            "states": {"ok": 2},
        }
        assert [(group["labels"]["cluster"], group["level"]) for group in document["groups"]] == [
            ("eu", 1),
            ("eu", 2),
            ("us", 1),
        ]

    def test_the_table_has_a_heading_for_each_label_set(self, folder: Folder) -> None:
        for level in (1, 2):
            folder.write(level=level)
        folder.write(external_labels={"cluster": "us"}, resolution=300_000)
        lines = folder.run("inspect")[1].splitlines()
        assert [lines[1], lines[4]] == ['cluster="eu"', 'cluster="us"']
        assert [lines[number].split()[:3] for number in (2, 3, 5)] == [
            ["raw", "1", "1"],
            ["raw", "2", "1"],
            ["5m", "1", "1"],
        ]

    def test_states_other_than_ok_are_counted_below(self, folder: Folder) -> None:
        folder.write()
        (folder.path / folder.write() / "index").unlink()
        assert folder.run("inspect")[1].splitlines()[-1] == "    1 broken"

    def test_groups_can_be_chosen_and_sorted(self, folder: Folder) -> None:
        folder.write(pods=3)
        folder.write(pods=1, external_labels={"cluster": "us"})
        clusters = [group["labels"]["cluster"] for group in folder.json("inspect", "--sort=series")["groups"]]
        assert clusters == ["us", "eu"]
        assert folder.json("inspect", "-l", "cluster=us")["blocks"] == 1

    def test_one_block_is_told_in_full(self, folder: Folder) -> None:
        ulid = folder.write(pods=3)
        folder.put(ulid, "extra.txt", b"x")
        (document,) = folder.json("inspect", ulid)
        assert set(document) == ROW_KEYS | {"objects", "index", "index_error", "meta"}
        assert [one["path"] for one in document["objects"]] == ["chunks/000001", "extra.txt", "index", "meta.json"]
        assert document["index"]["label_values"] == {"__name__": 1, "pod": 3}
        assert (document["index"]["label_names"], document["index"]["label_pairs"]) == (2, 4)
        assert document["meta"]["ulid"] == ulid

    def test_it_is_told_in_words(self, folder: Folder) -> None:
        ulid = folder.write(pods=3, source="sidecar")
        out = folder.run("inspect", ulid)[1]
        lines = dict(line.split(None, 1) for line in out.splitlines() if line[0] != " ")
        assert (lines["Block"], lines["State"], lines["Labels"]) == (ulid, "ok", 'cluster="eu"')
        assert lines["Contents"] == "3 series, 3 chunks, 300 samples (300 floats)"
        assert lines["Time"] == "2023-11-14T22:00:00Z to 2023-11-15T00:00:00Z (2h)"
        assert lines["Index"].startswith("version 2, ")
        assert "            pod       3 values" in out or "pod       3 values" in out

    def test_odd_members_of_meta_json_do_no_harm(self, folder: Folder) -> None:
        compaction = {"parents": [None, {}], "hints": 7, "level": 2}
        ulid = folder.write(
            meta={
                "compaction": compaction,
                "stats": {"numFloatSamples": "x"},
                "minTime": -(2**63),
                "maxTime": 2**63 - 1,
            }
        )
        code, out, err = folder.run("inspect", ulid)
        assert (code, err, "-9223372036854775808 ms to 9223372036854775807 ms" in out) == (0, "", True)
        assert folder.run("ls")[0] == 0

    def test_a_broken_index_is_said(self, folder: Folder) -> None:
        ulid = folder.write()
        folder.put(ulid, "index", b"x")
        (document,) = folder.json("inspect", ulid)
        assert (document["index"], "too few to be one" in document["index_error"]) == (None, True)
        assert "too few to be one" in folder.run("inspect", ulid)[1]

    def test_several_blocks_come_in_the_order_given(self, folder: Folder) -> None:
        one, two = folder.write(), folder.write(external_labels={"a": "b"})
        assert [document["ulid"] for document in folder.json("inspect", two, one, two)] == [two, one]

    def test_a_block_that_is_not_there_is_an_error(self, folder: Folder) -> None:
        code, out, err = folder.run("inspect", "01M3250V000000000000000001")
        assert (code, out, err) == (1, "", "storegate: error: block 01M3250V000000000000000001 does not exist\n")

    def test_a_name_that_is_no_ulid_is_a_mistake(self, folder: Folder) -> None:
        code, _, err = folder.run("inspect", "01m3250v000000000000000001")
        assert (code, "is not a ULID" in err) == (2, True)


class TestVerify:
    def test_sound_blocks_end_well(self, folder: Folder) -> None:
        ulid = folder.write()
        code, out, err = folder.run("verify", ulid)
        assert (code, err) == (0, "")
        assert out.startswith(f"{ulid}  sound  1 series  100 samples  ")

    def test_damage_ends_with_1_and_is_told(self, folder: Folder) -> None:
        ulid = folder.write()
        data = bytearray((folder.path / ulid / "chunks/000001").read_bytes())
        data[20] ^= 1
        folder.put(ulid, "chunks/000001", bytes(data))
        code, out, _ = folder.run("verify", ulid)
        line, problem = out.splitlines()
        assert (code, line) == (1, f"{ulid}  damaged: 1 error")
        assert problem == (
            "    chunks/000001 at 8: the checksum of a chunk does not match [chunk], "
            'series 3 {__name__="up", pod="p-0"}'
        )

    def test_the_document_has_all_of_it(self, folder: Folder) -> None:
        good, bad = folder.write(), folder.write()
        folder.put(bad, "index", b"x")
        document = folder.json("verify", good, bad)
        assert (document["sound"], document["passed_over"]) == (False, [])
        sound, damaged = document["blocks"]
        assert set(sound) == {
            "ulid", "sound", "complete", "error", "errors", "warnings", "problems", "more", "series", "chunks",
            "samples", "bytes", "seconds",
        }  # fmt: skip
        assert (sound["ulid"], sound["sound"], sound["problems"]) == (good, True, [])
        assert (damaged["errors"], damaged["complete"]) == (2, True)
        assert damaged["problems"][1] == {
            "severity": "error",
            "code": "index-size",
            "object": "index",
            "offset": None,
            "series": None,
            "labels": None,
            "message": "it has 1 bytes, too few to be an index",
        }

    def test_all_blocks_with_a_meta_are_verified(self, folder: Folder) -> None:
        good, bad, partial = folder.write(), folder.write(), folder.write()
        folder.put(bad, "meta.json", b"")
        (folder.path / partial / "meta.json").unlink()
        document = folder.json("verify", "--all")
        assert {block["ulid"]: block["sound"] for block in document["blocks"]} == {good: True, bad: False}
        assert document["passed_over"] == [partial]
        code, out, _ = folder.run("verify", "--all", "--quiet")
        assert (code, good in out, bad in out) == (1, False, True)
        assert out.splitlines()[-1].endswith("1 sound, 1 damaged; 1 block without meta.json passed over")

    def test_all_can_be_narrowed(self, folder: Folder) -> None:
        folder.write()
        us = folder.write(external_labels={"cluster": "us"})
        assert [block["ulid"] for block in folder.json("verify", "--all", "-l", "cluster=us")["blocks"]] == [us]

    def test_a_block_may_be_given_up(self, folder: Folder) -> None:
        ulid = folder.write(pods=30)
        folder.put(ulid, "chunks/000001", bytes((folder.path / ulid / "chunks/000001").stat().st_size))
        (block,) = folder.json("verify", ulid, "--max-problems=15")["blocks"]
        assert (block["errors"], block["complete"], len(block["problems"])) == (15, False, 11)
        assert block["more"] == [{"object": "chunks/000001", "code": "chunk", "count": 4}]
        out = folder.run("verify", ulid, "--max-problems=15")[1]
        assert out.splitlines()[-2:] == ["    and 4 more [chunk] in chunks/000001", "    not read to the end"]

    def test_a_block_that_cannot_be_read_does_not_keep_others_from_it(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, two = folder.write(), folder.write(external_labels={"a": "b"})

        def failing(store: Any, ulid: str, **options: Any) -> Any:
            if ulid == one:
                raise UnavailableError("the store is down")
            return verify_block(store, ulid, **options)

        monkeypatch.setattr(verify_module, "verify_block", failing)
        code, out, _ = folder.run("verify", "--all")
        assert code == 1
        assert out.splitlines()[0] == f"{one}  could not be verified: the store is down"
        assert (f"{two}  sound" in out, out.splitlines()[-1].endswith("1 sound, 1 not verified")) == (True, True)

    def test_a_block_that_is_not_there_is_not_verified(self, folder: Folder) -> None:
        (block,) = folder.json("verify", "01M3250V000000000000000001")["blocks"]
        assert (block["sound"], "does not exist" in block["error"]) == (False, True)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ([], "give either ULIDs or --all"),
            (["01M3250V000000000000000001", "--all"], "give either ULIDs or --all"),
            (["01M3250V000000000000000001", "--state=ok"], "options that choose blocks go with --all"),
            (["--all", "--max-problems=-1"], "--max-problems"),
        ],
    )
    def test_mistakes_are_usage_errors(self, folder: Folder, arguments: list[str], said: str) -> None:
        code, _, err = folder.run("verify", *arguments)
        assert (code, said in err) == (2, True)
