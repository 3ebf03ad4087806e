"""CRC32C and xxHash64 against the libraries that define them for Python."""

from __future__ import annotations

import google_crc32c
import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

DATA = bytes(range(256)) * 40


@given(data=st.binary(max_size=300))
def test_crc32c_is_that_of_the_library(kernels, data):
    assert kernels.hashing.crc32c(data) == google_crc32c.value(data)


@given(data=st.binary(max_size=300))
def test_xxh64_is_that_of_the_library(kernels, data):
    assert kernels.hashing.xxh64(data) == xxhash.xxh64_intdigest(data)


@pytest.mark.parametrize("size", [31, 32, 33, 1023, 4096, 10_000])
def test_long_data_hashes_as_in_the_libraries(kernels, size):
    assert kernels.hashing.crc32c(DATA[:size]) == google_crc32c.value(DATA[:size])
    assert kernels.hashing.xxh64(DATA[:size]) == xxhash.xxh64_intdigest(DATA[:size])


@given(start=st.integers(0, 64), length=st.integers(0, 64))
def test_crc32c_of_a_stretch_leaves_the_rest_out(kernels, start, length):
    assert kernels.hashing.crc32c(DATA, start, start + length) == google_crc32c.value(DATA[start : start + length])


def test_crc32c_of_no_bytes_is_zero(kernels):
    assert kernels.hashing.crc32c(b"") == 0


@pytest.mark.parametrize(("start", "end"), [(-1, 4), (5, 4), (0, 9), (9, -1)])
def test_a_stretch_outside_the_buffer_is_refused(kernels, start, end):
    with pytest.raises(ValueError, match="outside the buffer"):
        kernels.hashing.crc32c(b"12345678", start, end)


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)])
def test_any_buffer_of_bytes_will_do(kernels, wrap):
    assert kernels.hashing.crc32c(wrap(DATA[:100])) == google_crc32c.value(DATA[:100])
    assert kernels.hashing.xxh64(wrap(DATA[:100])) == xxhash.xxh64_intdigest(DATA[:100])
