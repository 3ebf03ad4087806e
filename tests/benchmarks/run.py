"""The benchmark: `tox -e bench`. Builds its buckets, starts the real gateway, measures it against the transport floor.

Prints a table and writes it as JSON; `docs/explanation/performance.md` says how to read it. Not a test: only the small
size runs in CI, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
from pathlib import Path

from buckets import FULL, SMALL
from remote_read_scenarios import remote_read
from scenarios import SUITES, Row

SUITES |= {"remote-read": remote_read}
COLUMNS = ("scenario", "wanted", "ratio", "", "ms", "floor ms", "requests", "MB read", "peak MB", "met")


def cells(row: Row) -> tuple[str, ...]:
    """A row as text."""

    def number(value: float | None, digits: int = 1) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    return (
        row.scenario,
        row.wanted,
        number(row.ratio, 2),
        row.unit,
        number(row.ms),
        number(row.floor_ms),
        "" if row.requests is None else str(row.requests),
        number(None if row.bytes is None else row.bytes / 1e6),
        number(None if row.peak_rss is None else row.peak_rss / 1e6, 0),
        {True: "yes", False: "NO", None: ""}[row.met],
    )


def table(rows: list[Row]) -> str:
    """All rows, columns aligned."""
    lines = [COLUMNS, *(cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    formats = [f"{{:{'<' if i in (0, 3) else '>'}{width}}}" for i, width in enumerate(widths)]
    return "\n".join("  ".join(f.format(cell) for f, cell in zip(formats, line, strict=True)) for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", choices=[*SUITES, []], help="which suites (all)")
    parser.add_argument("--small", action="store_true", help="a small size, to see that it works")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--buckets", type=Path, help="keep the buckets in this folder for the next run")
    options = parser.parse_args()
    size = SMALL if options.small else FULL
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="storegate-bench-") as folder:
        for suite in options.suites or SUITES:
            work = Path(folder) / suite
            (work / "many").mkdir(parents=True)
            rows += SUITES[suite](options.buckets or Path(folder) / "buckets", work, size)
            shutil.rmtree(work)
    print(table(rows))
    if options.json:
        machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
        document = {"size": size.name, "machine": machine, "rows": [row.as_json() for row in rows]}
        options.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
