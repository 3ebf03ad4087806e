"""The frame of an index: header, table of contents, symbols, postings offset table, obsolete sections."""

from __future__ import annotations

from dataclasses import dataclass

from storegate.block.discovery import INDEX_FILE
from storegate.block.verify.report import Code, Report
from storegate.block.verify.source import Source
from storegate.errors import CorruptError
from storegate.index.build import HEADER_PREFIX, check_section
from storegate.index.postings_table import PostingsTable, PostingsTableV1, PostingsTableV2
from storegate.index.symbols import Symbols
from storegate.index.toc import TOC, TOC_SIZE, parse_index_version, parse_toc
from storegate.kernels.hashing import crc32c

HEADER = 5  # magic and version
SMALLEST_SECTION = 12
ANY_SYMBOL = 1 << 32


@dataclass(frozen=True, slots=True)
class IndexLayout:
    """What the frame says. `symbols` and `table` are None when they cannot be read, `sound` is False after damage.

    `series` and `postings` are byte ranges; `scale` is what a series ref is multiplied by to get an offset.
    """

    version: int
    scale: int
    series: tuple[int, int]
    postings: tuple[int, int]
    symbols: Symbols | None
    table: PostingsTable | None
    sound: bool

    @property
    def symbol_limit(self) -> int:
        """Bounds the symbol refs of series."""
        return ANY_SYMBOL if self.symbols is None else self.symbols.limit


def read_layout(source: Source, size: int, report: Report) -> IndexLayout | None:
    """Check and read the frame of an index of `size` bytes; None when its parts cannot be found."""
    errors = report.errors
    if size < HEADER + TOC_SIZE + SMALLEST_SECTION:
        report.error("index-size", INDEX_FILE, f"it has {size} bytes, too few to be an index")
        return None
    try:
        toc = parse_toc(source.read(INDEX_FILE, size - TOC_SIZE, size), size, "")
    except CorruptError as error:
        report.error("index-toc", INDEX_FILE, plain(error), offset=error.offset)
        return None
    version = _version(source.read(INDEX_FILE, 0, HEADER), report)
    symbols = _symbols(source.read(INDEX_FILE, toc.symbols, toc.series), toc, version, report)
    table_data = source.read(INDEX_FILE, toc.postings_offset_table, size - TOC_SIZE)
    table = _table(table_data, toc, version, report)
    _check_obsolete(source, toc, report)
    return IndexLayout(
        version=version,
        scale=16 if version == 2 else 1,
        series=(toc.series, toc.label_indices if toc.series < toc.label_indices <= toc.postings else toc.postings),
        postings=(toc.postings, toc.postings_end),
        symbols=symbols,
        table=table,
        sound=report.errors == errors,
    )


def plain(error: CorruptError) -> str:
    """The message of an error, without the object and the offset, which a problem has apart."""
    text = str(error).removeprefix(f"{error.object}: ")
    return text.removesuffix(f" (at offset {error.offset})")


def _version(head: bytes, report: Report) -> int:
    try:
        return parse_index_version(head, "")
    except CorruptError as error:
        report.error("index-header", INDEX_FILE, plain(error), offset=error.offset)
        return 1 if head[4] == 1 else 2  # go on as if it were written there


def _symbols(section: bytes, toc: TOC, version: int, report: Report) -> Symbols | None:
    """The symbol table; what breaks its checksum is told once."""
    # An index-header, which Symbols is made for, has the section at another place: `moved` bytes further.
    moved = HEADER_PREFIX - toc.symbols
    data = memoryview(bytes(HEADER_PREFIX) + section)
    told = _section_problem(data, HEADER_PREFIX, "symbol table", "symbols", -moved, report)
    body = HEADER_PREFIX + 4
    end = body + int.from_bytes(data[body - 4 : body], "big")
    if end + 4 > len(data):
        return None
    if end + 4 != len(data):
        report.warning(
            "index-gap", INDEX_FILE, "bytes between symbols and series belong to nothing", offset=end + 4 - moved
        )
    try:
        return Symbols(data, body, end, version, "")
    except CorruptError as error:
        if not told:
            report.error("symbols", INDEX_FILE, plain(error), offset=error.offset - moved)
        return None


def _table(data: bytes, toc: TOC, version: int, report: Report) -> PostingsTable | None:
    at = toc.postings_offset_table
    view = memoryview(data)
    told = _section_problem(view, 0, "postings offset table", "postings-table", at, report)
    end = 4 + int.from_bytes(data[:4], "big")
    if end + 4 > len(data):
        return None
    if end + 4 != len(data):
        report.warning(
            "index-gap", INDEX_FILE, "bytes before the table of contents belong to nothing", offset=at + end + 4
        )
    limits = (toc.postings, toc.postings_end)
    try:
        table: PostingsTable
        if version == 2:
            table = PostingsTableV2(view, 4, end, limits, 32, "")
        else:
            table = PostingsTableV1(view, 4, end, limits, "")
        if not table.all_postings():
            raise CorruptError("the postings list of all series is missing", offset=0)
    except CorruptError as error:
        if not told:
            where = at + error.offset if error.offset >= 0 else -1
            report.error("postings-table", INDEX_FILE, plain(error), offset=where)
        return None
    return table


def _section_problem(data: memoryview, at: int, what: str, code: Code, moved: int, report: Report) -> bool:
    """Whether the frame of the section at `data[at]`, which lies `moved` bytes further in the index, is damaged."""
    try:
        check_section(data, at, "", at, what)
    except CorruptError as error:
        report.error(code, INDEX_FILE, plain(error), offset=at + moved)
        return True
    return False


def _check_obsolete(source: Source, toc: TOC, report: Report) -> None:
    """Label indices and the label offset table, which older writers left behind and no reader needs."""
    if toc.series < toc.label_indices < toc.postings:
        _check_unread(source, toc.label_indices, toc.postings, "label index", report)
    if toc.postings < toc.label_offset_table < toc.postings_offset_table:
        _check_unread(source, toc.label_offset_table, toc.postings_offset_table, "label offset table", report)


def _check_unread(source: Source, start: int, end: int, what: str, report: Report) -> None:
    data = source.read(INDEX_FILE, start, end)
    at = 0
    while at < len(data):
        at += -(start + at) % 4 if what == "label index" else 0
        if len(data) - at < SMALLEST_SECTION:
            return
        stop = at + 4 + int.from_bytes(data[at : at + 4], "big")
        if stop + 4 > len(data) or crc32c(data, at + 4, stop) != int.from_bytes(data[stop : stop + 4], "big"):
            report.warning("index-unread", INDEX_FILE, f"a {what}, which nothing reads, is damaged", offset=start + at)
            return
        at = stop + 4
