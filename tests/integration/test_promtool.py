"""Prometheus' own tool reads what the block writer writes, and the obvious reader reads what the tool writes."""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storegate.query.request import LabelMatcher, MatchType
from storegate.testing import Histogram, encode_arrays, read_block, write_block, write_block_arrays, write_block_raw
from storegate.testing.chunks import STALE, encode_samples

T0 = 1700000000000
STEP = 15000
ANY = [LabelMatcher(MatchType.RE, "__name__", ".*")]
DUMPED = re.compile(r"(?P<labels>\{.*\}) (?P<value>\S+) (?P<time>-?\d+)")


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def dump(folder: Path, match: str = "{__name__=~'(?s:.*)'}") -> list[tuple[str, int, float]]:
    """(labels, time, value) of every float sample, as the tool sees them."""
    (folder / "wal").mkdir(exist_ok=True)  # a database always has one
    lines = promtool("tsdb", "dump", f"--match={match}", folder).splitlines()
    found = [DUMPED.fullmatch(line) for line in lines]
    return [(row["labels"], int(row["time"]), float(row["value"])) for row in found if row]


def rows(labels: str, samples: Sequence[tuple[int, float]]) -> list[tuple[str, int, float]]:
    """What `dump` must give for one series."""
    return [(labels, t, value) for t, value in samples]


def wave(count: int, phase: float = 0.0) -> list[tuple[int, float]]:
    return [(T0 + number * STEP + number % 3, 20 + 5 * math.sin(phase + number / 40)) for number in range(count)]


def counter(count: int) -> list[tuple[int, float]]:
    return [(T0 + number * STEP, float(number * number % 1000)) for number in range(count)]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="v2"),
        pytest.param({"label_indices": True}, id="v2-with-label-indices"),
        pytest.param({"index_version": 1}, id="v1"),
        pytest.param({"index_version": 1, "label_indices": True}, id="v1-with-label-indices"),
        pytest.param({"segment_size": 4096}, id="many-segments"),
        pytest.param({"thanos": False}, id="plain-prometheus"),
    ],
)
def test_dump_gives_the_samples_that_were_written(tmp_path: Path, options: dict[str, Any]) -> None:
    series = [({"__name__": "temperature", "room": f"r{room}", "job": "home"}, wave(500, room)) for room in range(20)]
    series.append(({"__name__": "requests_total", "job": "api", "path": '/a"b\\c', "größe": "日本"}, counter(300)))
    write_block(tmp_path, series, **options)
    expected = [
        *rows('{__name__="requests_total", größe="日本", job="api", path="/a\\"b\\\\c"}', counter(300)),
        *(
            row
            for room in sorted(range(20), key=str)
            for row in rows(f'{{__name__="temperature", job="home", room="r{room}"}}', wave(500, room))
        ),
    ]
    assert sorted(dump(tmp_path)) == sorted(expected)


def test_list_and_analyze_accept_a_block(tmp_path: Path) -> None:
    written = write_block(tmp_path, [({"__name__": "up", "instance": f"i{n}"}, wave(240)) for n in range(7)])
    listed = promtool("tsdb", "list", tmp_path).splitlines()[1].split()
    assert listed[0] == written.ulid
    assert listed[-4:-1] == ["1680", "14", "7"]
    analyzed = promtool("tsdb", "analyze", tmp_path)
    assert f"Block ID: {written.ulid}" in analyzed
    assert "Series: 7\n" in analyzed
    assert "Label names: 2\n" in analyzed


def test_postings_of_the_writer_answer_matchers_of_the_tool(tmp_path: Path) -> None:
    write_block(tmp_path, [({"__name__": "up", "a": str(n % 5), "b": str(n % 3)}, counter(2)) for n in range(15)])
    assert {labels for labels, _, _ in dump(tmp_path, '{a="1",b!="2"}')} == {
        '{__name__="up", a="1", b="0"}',
        '{__name__="up", a="1", b="1"}',
    }


def test_the_tool_reads_blocks_of_the_vectorised_encoder(tmp_path: Path) -> None:
    times = T0 + np.arange(300) * STEP
    values = np.random.default_rng(3).integers(0, 1000, (3, 300)).cumsum(axis=1).astype(float)
    write_block_arrays(tmp_path, [{"__name__": "n", "row": str(row)} for row in range(3)], times, values)
    expected = [
        row
        for number in range(3)
        for row in rows(
            f'{{__name__="n", row="{number}"}}', list(zip(times.tolist(), values[number].tolist(), strict=True))
        )
    ]
    assert dump(tmp_path) == expected


def test_stale_markers_and_odd_floats_reach_the_tool(tmp_path: Path) -> None:
    values = [1.0, math.inf, -math.inf, -0.0, 5e-324, STALE]
    write_block(tmp_path, [({"__name__": "odd"}, [(T0 + n, value) for n, value in enumerate(values)])])
    dumped = [value for _, _, value in dump(tmp_path)]
    assert dumped[:5] == values[:5]
    assert math.isnan(dumped[5])


def test_the_tool_accepts_native_histograms_beside_floats(tmp_path: Path) -> None:
    histograms = [
        (T0 + n * STEP, Histogram(3 * n, n, float(n), 1, 2.0**-128, ((0, 2),), (), (n, 0))) for n in range(200)
    ]
    floats = [(t + 200 * STEP, histogram.to_float()) for t, histogram in histograms]
    write_block(tmp_path, [({"__name__": "latency"}, histograms + floats), ({"__name__": "up"}, counter(3))])
    assert dump(tmp_path, '{__name__="up"}') == rows('{__name__="up"}', counter(3))
    assert promtool("tsdb", "list", tmp_path).splitlines()[1].split()[-3:-1] == ["5", "2"]
    assert "Series: 2\n" in promtool("tsdb", "analyze", "--extended", tmp_path)


def test_blocks_of_the_tool_are_read(tmp_path: Path) -> None:
    text = tmp_path / "samples.txt"
    lines = ["# TYPE temperature gauge"]
    lines += [f'temperature{{room="{room}"}} {value} {t / 1000}' for room in "ab" for t, value in wave(400)]
    text.write_text("\n".join([*lines, "# EOF", ""]))
    out = tmp_path / "blocks"
    promtool("tsdb", "create-blocks-from", "openmetrics", text, out)
    found: dict[Any, list[Any]] = {}
    for folder in sorted(out.iterdir()):
        for labels, samples in read_block(folder).select(ANY, -(2**63), 2**63 - 1):
            found.setdefault(labels, []).extend(samples)
    assert found == {(("__name__", "temperature"), ("room", room)): wave(400) for room in "ab"}


def test_chunks_of_the_tool_are_encoded_alike(tmp_path: Path) -> None:
    text = tmp_path / "samples.txt"
    lines = [f'n{{row="{row}"}} {value} {t / 1000}' for row in range(3) for t, value in counter(120)]
    text.write_text("\n".join(["# TYPE n gauge", *lines, "# EOF", ""]))
    out = tmp_path / "blocks"
    promtool("tsdb", "create-blocks-from", "openmetrics", text, out)
    compared = 0
    for folder in out.iterdir():
        block = read_block(folder)
        for series in block.series():
            for entry in series.chunks:
                encoding, data = block.chunk(entry)
                (chunk,) = encode_samples(block.samples(series)) if len(series.chunks) == 1 else (None,)
                if chunk is not None:
                    compared += 1
                    assert (encoding, data) == (chunk.encoding, chunk.data)
    assert compared


def test_the_index_of_the_tool_is_written_alike(tmp_path: Path) -> None:
    text = tmp_path / "samples.txt"
    lines = [f'n{{row="{row}",job="x{row % 4}"}} {value} {t / 1000}' for row in range(30) for t, value in counter(50)]
    text.write_text("\n".join(["# TYPE n gauge", *lines, "# EOF", ""]))
    theirs = tmp_path / "theirs"
    promtool("tsdb", "create-blocks-from", "openmetrics", text, theirs)
    ours = tmp_path / "ours"
    for folder in theirs.iterdir():
        block = read_block(folder)
        raw = [
            (series.labels, [(c.min_time, c.max_time, *block.chunk(c)) for c in series.chunks])
            for series in block.series()
        ]
        toc = block.index.toc  # whether the obsolete sections are there depends on the tool's version
        write_block_raw(ours, raw, ulid=folder.name, label_indices=toc["label_indices"] != toc["postings"])
        assert (ours / folder.name / "index").read_bytes() == (folder / "index").read_bytes()
        assert (ours / folder.name / "chunks/000001").read_bytes() == (folder / "chunks/000001").read_bytes()


def test_rows_of_arrays_become_chunks_of_120_samples() -> None:
    chunks = encode_arrays(np.arange(300), np.ones((2, 300)))
    assert [[(chunk.min_time, chunk.max_time) for chunk in row] for row in chunks] == [
        [(0, 119), (120, 239), (240, 299)]
    ] * 2
