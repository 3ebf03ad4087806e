"""One block in full: its meta.json, its objects, its marks, and what its index-header tells."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from storegate.block.discovery import INDEX_FILE
from storegate.block.verify.labels import printable
from storegate.cli.bucket.documents import row_document
from storegate.cli.bucket.phrases import colour_of, mark_note
from storegate.cli.bucket.rows import BlockRow, State
from storegate.cli.bucket.tables import wrap
from storegate.cli.bucket.words import exact, labels, plural, resolution, rfc3339, size, span
from storegate.errors import StoregateError
from storegate.index.header import IndexHeader, build_index_header
from storegate.types import BlockMeta, ObjectInfo, ObjectStore

T = TypeVar("T")

TITLE = 12
"""Characters of the first column."""
MOST_NAMES = 10
"""Label names that are shown, those with the most values."""


Section = tuple[str, Sequence[str]] | tuple[str, Sequence[str], str]
"""A title, its lines, and perhaps their colour; without lines it is not shown."""


@dataclass(frozen=True, slots=True)
class IndexDetail:
    """What an index-header tells. `values` counts the values of each label name."""

    version: int
    symbols: int
    header_size: int
    values: dict[str, int]

    @property
    def pairs(self) -> int:
        """Label pairs, which is postings lists."""
        return sum(self.values.values())


@dataclass(frozen=True, slots=True)
class Detail:
    """All about one block. `objects` are those in its folder, needed or not; without `index`, `error` says why."""

    row: BlockRow
    objects: dict[str, ObjectInfo]
    index: IndexDetail | None
    error: str


def read_detail(store: ObjectStore, row: BlockRow) -> Detail:
    """List a block's folder and read what an index-header needs. Raises what listing raises."""
    prefix = f"{row.ulid}/"
    objects = {info.key.removeprefix(prefix): info for info in store.list(prefix, recursive=True)}
    info = objects.get(INDEX_FILE)
    if info is None or info.size is None:
        return Detail(row, objects, None, "there is no index")
    try:
        return Detail(row, objects, _index_detail(store, info, info.size), "")
    except StoregateError as error:
        return Detail(row, objects, None, str(error))


def _index_detail(store: ObjectStore, info: ObjectInfo, length: int) -> IndexDetail:
    data = build_index_header(store, info.key, length, None)
    assert data is not None
    header = IndexHeader.from_bytes(data, name=info.key)
    try:
        names = header.label_names()
        values = {name.decode(errors="replace"): len(header.postings.values(name)) for name in names}
        return IndexDetail(header.version, len(header.symbols), len(data), values)
    finally:
        header.close()


def detail_document(detail: Detail) -> dict[str, Any]:
    """The block as JSON: the keys of `ls --json`, and more."""
    row, index = detail.row, detail.index
    return row_document(row) | {
        "objects": [
            {"path": path, "size": info.size, "modified": rfc3339(info.modified)}
            for path, info in sorted(detail.objects.items())
        ],
        "index": None
        if index is None
        else {
            "version": index.version,
            "symbols": index.symbols,
            "header_size": index.header_size,
            "label_names": len(index.values),
            "label_pairs": index.pairs,
            "label_values": index.values,
        },
        "index_error": detail.error,
        "meta": None if row.meta is None else row.meta.document,
    }


def detail_text(detail: Detail, width: int) -> str:
    """The block as lines of a title and what belongs to it."""
    lines = []
    for title, parts, *colour in _sections(detail):
        for i, part in enumerate(parts):
            head = click.style(f"{title if i == 0 else '':{TITLE}}", bold=True)
            for line in wrap(part.split(" "), width - TITLE, " ", ""):
                lines.append(head + (click.style(line, fg=colour[0]) if colour else line))
                head = " " * TITLE
    return "\n".join(lines)


def _sections(detail: Detail) -> Iterator[Section]:
    row = detail.row
    now = time.time_ns() // 1_000_000
    by = f" (filter {row.by})" if row.by else ""
    state = row.state if row.state is State.OK else f"{row.state}: {printable(row.reason)}{by}"
    yield "Block", [row.ulid]
    yield "State", [state], colour_of(row.state)
    yield "Created", [f"{exact(row.created)} ({span(now - row.created)} ago)"]
    if row.meta is not None:
        yield from _meta_sections(row.meta)
    yield "Marks", [mark_note(kind, mark, now) for kind, mark in sorted(row.marks.items())], "yellow"
    yield "Objects", _aligned([(printable(path), _bytes(info.size)) for path, info in sorted(detail.objects.items())])
    yield "Problems", [printable(problem) for problem in row.problems], "red"
    yield from _index_sections(detail)


def _aligned(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Lines of a name and what belongs to it, in two columns."""
    width = max((len(name) for name, _ in pairs), default=0)
    return [f"{name:{width}}  {value}".rstrip() for name, value in pairs]


def _meta_sections(meta: BlockMeta) -> Iterator[Section]:
    compaction, stats = _member(meta.document, "compaction", dict), _member(meta.document, "stats", dict)
    kinds = {"floats": _member(stats, "numFloatSamples", int), "histograms": _member(stats, "numHistogramSamples", int)}
    by_kind = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items() if number)
    parents = [_member(parent or {}, "ulid", str) for parent in _member(compaction, "parents", list)]
    yield "Labels", [labels(meta.labels)]
    yield (
        "Time",
        [
            f"{exact(meta.min_time)} to {exact(meta.max_time)} ({span(meta.max_time - meta.min_time)})",
            f"{meta.min_time} to {meta.max_time}",
        ],
    )
    yield "Resolution", [resolution(meta.resolution)]
    yield (
        "Contents",
        [
            f"{plural(meta.num_series, 'series')}, {plural(meta.num_chunks, 'chunk')}, "
            f"{plural(meta.num_samples, 'sample')}" + (f" ({by_kind})" if by_kind else "")
        ],
    )
    if meta.source or meta.upload_time is not None:
        uploaded = "" if meta.upload_time is None else f" at {exact(meta.upload_time)}"
        yield "Uploaded", [f"by {printable(meta.source) or 'an unknown component'}{uploaded}"]
    yield "Compaction", [f"level {meta.level}"]
    yield "  sources", list(meta.sources)
    yield "  parents", [parent for parent in parents if parent]
    yield "  hints", [printable(str(hint)) for hint in _member(compaction, "hints", list)]


def _member(document: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """A member that parsing did not look at; one of another type is as good as none."""
    value = document.get(name)
    return value if isinstance(value, kind) else kind()


def _index_sections(detail: Detail) -> Iterator[Section]:
    index = detail.index
    if index is None:
        yield "Index", [printable(detail.error)], "red"
        return
    yield (
        "Index",
        [
            f"version {index.version}, {plural(index.symbols, 'symbol')}, {plural(len(index.values), 'label name')}, "
            f"{plural(index.pairs, 'label pair')}; its index-header takes {size(index.header_size)}"
        ],
    )
    most = sorted(index.values.items(), key=lambda item: (-item[1], item[0]))
    shown = _aligned([(printable(name), plural(number, "value")) for name, number in most[:MOST_NAMES]])
    rest = len(most) - len(shown)
    yield "  labels", [*shown, f"and {plural(rest, 'name')} more"] if rest else shown


def _bytes(number: int | None) -> str:
    if number is None:
        return ""
    return f"{plural(number, 'byte')}" + (f" ({size(number)})" if number >= 1024 else "")
