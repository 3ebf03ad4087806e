"""Blocks that are wrong under right checksums: an error that names them, or an answer, and nothing else."""

from __future__ import annotations

import struct
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storegate.errors import CorruptError, StoregateError
from storegate.query.call import Call
from storegate.query.request import LabelMatcher, LabelNamesRequest, LabelValuesRequest, MatchType, SeriesRequest
from storegate.testing import read_block, strategies
from storegate.testing.crc32c import crc32c
from storegate.testing.varint import read_uvarint

few = settings(max_examples=settings().max_examples // 2, suppress_health_check=list(HealthCheck))

EVERYTHING = {"min_time": -(2**63), "max_time": 2**63 - 1}
SMALL = {"pages.PAGE": 64, "pages.FEW_PAGES": 0, "lists.SMALL_INDEX": 0, "stream.FIRST_SERIES": 1}
REQUESTS = [
    SeriesRequest(**EVERYTHING, matchers=(LabelMatcher(MatchType.NEQ, "nope", "x"),), aggregates=(1, 2, 5)),
    SeriesRequest(**EVERYTHING, matchers=(LabelMatcher(MatchType.RE, "job", ".*a.*"),), max_resolution=3_600_000),
    SeriesRequest(**EVERYTHING, matchers=(LabelMatcher(MatchType.RE, "__name__", ".+"),), skip_chunks=True, limit=2),
]


def sections(block):
    """(file, begin, end) of everything that a checksum guards; it follows at the end."""
    index = block.index
    for name in ("symbols", "postings_offset_table"):
        yield "index", index.toc[name] + 4, None
    for _, _, offset in index.table:
        yield "index", offset + 4, None
    for offset in index.series:
        yield "index", offset, "varint"
    for series in index.series.values():
        for chunk in series.chunks:
            yield f"chunks/{chunk.segment + 1:06}", chunk.offset, "chunk"


@st.composite
def wrong(draw, folder, block):
    """Change some bytes of a section, and its checksum with them."""
    path, begin, kind = draw(st.sampled_from(list(sections(block))))
    file = folder / path
    data = bytearray(file.read_bytes())
    if kind is None:
        end = begin + int.from_bytes(data[begin - 4 : begin], "big")
    else:
        length, begin = read_uvarint(bytes(data), begin)
        end = begin + length + (kind == "chunk")
    for _ in range(draw(st.integers(1, 3))):
        if begin < end:
            data[draw(st.integers(begin, end - 1))] = draw(st.one_of(st.integers(0, 3), st.integers(0, 255)))
    data[end : end + 4] = struct.pack(">I", crc32c(bytes(data[begin:end])))
    file.write_bytes(bytes(data))


@few
@given(
    plan=st.one_of(strategies.block_plans(min_series=2), strategies.block_plans(min_series=2, resolution=300_000)),
    sound=strategies.block_plans(min_series=1),
    lazy=st.booleans(),
    small=st.booleans(),
    data=st.data(),
)
def test_a_block_that_is_wrong_harms_nothing_but_its_own_queries(serve, plan, sound, lazy, small, data):
    sound = replace(sound, options=replace(sound.options, external_labels={"sound": "yes"}, seed=-1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ulid = plan.write(folder).ulid
        data.draw(wrong(folder / ulid, read_block(folder / ulid)))
        query = {"lazy_expanded_postings": lazy, "series_batch": 2, "series_size": 50, "chunk_size": 20}
        with serve([sound], {"query": query}, SMALL if small else {}, folder) as served:
            for request in (*REQUESTS, *REQUESTS):
                with suppress(StoregateError):
                    served.raw(request)  # label bytes pass through as they are, valid UTF-8 or not
                only = replace(request, matchers=(*request.matchers, LabelMatcher(MatchType.EQ, "sound", "yes")))
                assert served.series(only) == served.expected(only)
            names = LabelNamesRequest(start=0, end=10**6, matchers=REQUESTS[0].matchers)
            values = LabelValuesRequest(label="job", start=0, end=10**6, matchers=REQUESTS[0].matchers)
            with suppress(CorruptError):
                served.gateway.label_names(names, Call())
            with suppress(CorruptError):
                served.gateway.label_values(values, Call())
