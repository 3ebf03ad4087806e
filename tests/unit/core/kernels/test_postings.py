"""Postings lists: decoding, and set algebra against Python's own sets."""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storegate.testing.crc32c import crc32c
from storegate.testing.strategies import postings_lists

REFS = postings_lists(max_size=40)


def encoded(refs):
    """A list from its count to behind its checksum."""
    body = struct.pack(f">I{len(refs)}I", len(refs), *refs)
    return body + struct.pack(">I", crc32c(body))


def laid_out(lists, gap=b""):
    """One buffer of all lists, and where each lies."""
    buffer, spans = b"", []
    for refs in lists:
        data = encoded(refs)
        spans.append((len(buffer), len(buffer) + len(data)))
        buffer += data + gap
    return buffer, np.array(spans, np.int64).reshape(-1, 2)


def decode(kernels, data, spans):
    status, total = kernels.postings.count_postings(data, spans)
    if status:
        return status, total
    cuts, out = np.empty(len(spans) + 1, np.int64), np.empty(total, np.uint32)
    status, where = kernels.postings.decode_postings(data, spans, cuts, out)
    if status:
        return status, where
    return [out[a:b].tolist() for a, b in pairwise(cuts.tolist())]


@given(lists=st.lists(REFS, max_size=5), gap=st.binary(max_size=5))
def test_lists_decode_to_what_was_written(kernels, lists, gap):
    assert decode(kernels, *laid_out(lists, gap)) == lists


def test_a_range_may_be_longer_than_its_list(kernels):
    data = encoded([1, 2, 3])
    assert decode(kernels, data + b"12345678", np.array([[0, len(data) + 8]])) == [[1, 2, 3]]


def test_a_list_longer_than_its_range_is_named(kernels):
    data, spans = laid_out([[1], [1, 2, 3]])
    spans[1, 1] -= 1
    assert decode(kernels, data, spans) == (10, 1)


@pytest.mark.parametrize("size", range(8))
def test_a_range_too_short_for_a_list_is_named(kernels, size):
    assert decode(kernels, bytes(20), np.array([[0, size]])) == (10, 0)


def test_a_list_with_a_wrong_checksum_is_named(kernels):
    data, spans = laid_out([[1], [2]])
    assert decode(kernels, data[:-1] + b"\xff", spans) == (26, 1)


@pytest.mark.parametrize("refs", [[2, 1], [1, 1], [0, 0], [7, 2**32 - 1, 5]])
def test_a_list_that_does_not_ascend_is_named(kernels, refs):
    assert decode(kernels, *laid_out([[3], refs])) == (11, 1)


@pytest.mark.parametrize("span", [(-1, 12), (0, 13), (8, 4)])
def test_ranges_outside_the_buffer_are_refused(kernels, span):
    with pytest.raises(ValueError, match="outside the buffer"):
        kernels.postings.count_postings(bytes(12), np.array([span]))


def test_outputs_of_the_wrong_size_are_refused(kernels):
    data, spans = laid_out([[1, 2]])
    for cuts, out in ((1, 2), (2, 1), (2, 3)):
        with pytest.raises(ValueError, match="does not fit"):
            kernels.postings.decode_postings(data, spans, np.empty(cuts, np.int64), np.empty(out, np.uint32))


@given(a=REFS, b=REFS)
def test_set_algebra_is_that_of_sets(kernels, a, b):
    left, right = np.array(a, np.uint32), np.array(b, np.uint32)
    assert kernels.postings.intersect(left, right).tolist() == sorted({*a} & {*b})
    assert kernels.postings.subtract(left, right).tolist() == sorted({*a} - {*b})
    assert kernels.postings.union(left, right).tolist() == sorted({*a} | {*b})


@given(refs=REFS, part=st.sets(st.integers(0, 39)))
def test_set_algebra_of_a_list_with_a_part_of_it(kernels, refs, part):
    some = [ref for i, ref in enumerate(refs) if i in part]
    left, right = np.array(refs, np.uint32), np.array(some, np.uint32)
    assert kernels.postings.intersect(left, right).tolist() == some
    assert kernels.postings.union(left, right).tolist() == refs
    assert kernels.postings.subtract(left, right).tolist() == [ref for ref in refs if ref not in some]


def test_a_read_only_array_will_do(kernels):
    refs = np.frombuffer(struct.pack("<3I", 1, 2, 3), "<u4")
    assert kernels.postings.intersect(refs, refs).tolist() == [1, 2, 3]
