"""Label values and places of lists, in both versions of the index, against a dictionary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.errors import CorruptError
from storegate.index.header import IndexHeader, build_index_header
from storegate.index.postings_table import PostingsTableV1
from storegate.testing.index_writer import IndexSeries, build_index
from storegate.testing.memory_store import MemoryStore

SETS = st.dictionaries(
    st.sampled_from((b"a", b"b", b"job")), st.one_of(st.binary(min_size=1, max_size=3), st.just(b"v" * 150)), min_size=1
)
SERIES = st.lists(SETS, min_size=1, max_size=12)
OPTIONS = {"version": st.sampled_from((1, 2)), "sampling": st.sampled_from((1, 2, 32)), "old": st.booleans()}


def header_of(sets, version, sampling, old):
    series = sorted(tuple(sorted(labels.items())) for labels in sets)
    data = build_index([IndexSeries(labels, []) for labels in series], version=version, label_indices=old).data
    header = build_index_header(MemoryStore({"k": data}), "k", len(data), None)
    assert header is not None
    return IndexHeader.from_bytes(header, sampling=sampling), data


@given(sets=SERIES, **OPTIONS)
def test_values_and_lists_are_those_of_the_series(sets, version, sampling, old):
    header, data = header_of(sets, version, sampling, old)
    for name in (b"a", b"b", b"job"):
        expected = sorted({labels[name] for labels in sets if name in labels})
        values = header.postings.values(name)
        assert values.texts() == header.label_values(name) == expected
        assert [values.text(i) for i in range(len(values))] == expected
        assert values.ranges.tolist() == header.ranges(name, expected).tolist()
        for value, (start, end) in zip(expected, values.ranges.tolist(), strict=True):
            count = sum(labels.get(name) == value for labels in sets)
            assert int.from_bytes(data[start : start + 4], "big") == count
            assert end == start + 4 + 4 * count


@given(sets=SERIES, wanted=st.lists(st.binary(max_size=3)), **OPTIONS)
def test_values_that_do_not_exist_have_no_list(sets, wanted, version, sampling, old):
    header, _ = header_of(sets, version, sampling, old)
    known = {labels.get(b"a") for labels in sets}
    found = header.ranges(b"a", wanted).tolist()
    assert [pair != [-1, -1] for pair in found] == [value in known for value in wanted]


@given(sets=SERIES, **OPTIONS)
def test_values_are_joined_between_marks(sets, version, sampling, old):
    header, _ = header_of(sets, version, sampling, old)
    texts = header.label_values(b"a")
    joined = header.postings.values(b"a").joined()
    if any(byte < 2 for text in texts for byte in text):
        assert joined is None
    else:
        assert joined is not None
        assert joined[0] == b"".join(b"\0" + text + b"\1\xff" for text in texts)


def table_v1(body, count):
    data = memoryview(count.to_bytes(4, "big") + body)
    return PostingsTableV1(data, 0, len(data), (0, 1000), "header")


@pytest.mark.parametrize(
    ("body", "count", "text"),
    [
        (b"\1\0\0\0", 1, "does not have two keys"),
        (b"\2\5ab\0", 1, "goes past the end"),
        (b"\2\0\0\x80", 1, "varint"),
        (b"\2\0\0" + b"\xff" * 10, 1, "varint"),
        (b"\2\0\0\0\0", 1, "left over"),
        (b"\2\0\0\0", 2, "cannot fit"),
        (b"\2\0\0\0", 2**32 - 1, "cannot fit"),
        (b"\2\0\0\xe9\x07", 1, "outside the postings section"),
        (b"\2\1a\0\0\2\1a\0\x20", 2, "not in ascending order"),
        (b"\2\1a\0\0\2\1b\0\x08", 2, "longer than its place"),
    ],
)
def test_a_damaged_table_of_version_1_is_corrupt(body, count, text):
    with pytest.raises(CorruptError, match=f"header: .*{text}"):
        table_v1(body, count)
