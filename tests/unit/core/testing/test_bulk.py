"""The vectorised XOR encoder gives the bytes of the plain one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from storegate.testing.bulk import encode_xor_rows
from storegate.testing.chunks import encode_xor


def plain(times: np.ndarray, values: np.ndarray) -> list[bytes]:
    rows = zip(times.tolist(), values.tolist(), strict=True)
    return [encode_xor(list(zip(row_times, row_values, strict=True))) for row_times, row_values in rows]


@given(shape=st.tuples(st.integers(1, 6), st.integers(1, 12)), data=st.data())
def test_random_rows_are_encoded_alike(shape: tuple[int, int], data: st.DataObject) -> None:
    steps = st.one_of(st.integers(0, 2**40), st.sampled_from([15000, 15001, 14999, 60000]))
    times = np.cumsum(data.draw(arrays.arrays(np.int64, shape, elements=steps)), axis=1)
    bits = data.draw(arrays.arrays(np.uint64, shape, elements=st.integers(0, 2**64 - 1)))
    few = data.draw(arrays.arrays(np.float64, shape, elements=st.sampled_from([0.0, 1.0, 1.5, 1e9, -3.0])))
    values = np.where(data.draw(arrays.arrays(np.bool_, shape)), bits.view(np.float64), few)
    encoded = encode_xor_rows(times, values)
    assert len(encoded) == shape[0]
    # NaN payloads do not survive a Python float on every platform, so compare numbers only where there are none
    if not np.isnan(values).any():
        assert encoded == plain(times, values)


def test_more_rows_than_one_round_keep_their_order() -> None:
    values = np.arange(5000 * 3, dtype=np.float64).reshape(5000, 3)
    times = np.broadcast_to(np.array([0, 15000, 30001], dtype=np.int64), values.shape)
    assert encode_xor_rows(times, values) == plain(times, values)


@pytest.mark.parametrize("shape", [(3,), (2, 0)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="samples"):
        encode_xor_rows(np.zeros(shape, np.int64), np.zeros(shape))
