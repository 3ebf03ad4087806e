"""Many XOR chunks at once: the same bytes as `encode_xor`, computed sample by sample over all chunks with numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

U64 = np.uint64
Array = NDArray[np.uint64]
_ROWS = 4096  # chunks of one round; small enough for the processor's cache


def encode_xor_rows(times: NDArray[np.int64], values: NDArray[np.float64]) -> list[bytes]:
    """The data of one XOR chunk per row. `times` and `values` have the shape (chunks, samples), 1 to 65535 samples.

    Differences between times must fit 63 bits.
    """
    if times.shape != values.shape or times.ndim != 2 or not 1 <= times.shape[1] <= 65535:
        raise ValueError(f"times {times.shape} and values {values.shape} must both be (chunks, 1..65535 samples)")
    out: list[bytes] = []
    for start in range(0, len(times), _ROWS):
        out += _encode(
            np.ascontiguousarray(times[start : start + _ROWS].T, dtype=np.int64),
            np.ascontiguousarray(values[start : start + _ROWS].T, dtype=np.float64).view(U64),
        )
    return out


class _Bits:
    """One growing bit string per row, in 64-bit words."""

    def __init__(self, rows: int, words: int) -> None:
        self._words = np.zeros((words, rows), dtype=U64)
        self._row = np.arange(rows)
        self._length = np.zeros(rows, dtype=U64)

    def append(self, value: Array, bits: Array) -> None:
        """The low `bits` (0 to 64) of `value`, whose other bits are 0, to each row."""
        word = (self._length >> U64(6)).astype(np.intp)
        room = U64(64) - (self._length & U64(63))  # 1 to 64 bits
        over = bits > room
        spill = np.where(over, bits - room, U64(0))
        gap = np.where(over, U64(0), room - bits)
        head = np.where(over, value >> np.minimum(spill, U64(63)), _shift_left(value, gap))
        self._words[word, self._row] |= head
        tail = np.where(over, _shift_left(value, np.where(over, U64(64) - spill, U64(64))), U64(0))
        self._words[word + 1, self._row] |= tail
        self._length += bits

    def rows(self) -> list[bytes]:
        """The bits of each row, the last byte padded with zeros."""
        flat = np.ascontiguousarray(self._words.T).astype(">u8").tobytes()
        stride = self._words.shape[0] * 8
        sizes = ((self._length + U64(7)) >> U64(3)).tolist()
        return [flat[row * stride : row * stride + int(size)] for row, size in enumerate(sizes)]


def _shift_left(value: Array, count: Array) -> Array:
    """A shift by 64 is undefined in numpy; here it gives 0."""
    return np.where(count >= U64(64), U64(0), value << np.minimum(count, U64(63)))


def _encode(times: NDArray[np.int64], values: Array) -> list[bytes]:
    samples, rows = times.shape
    # At most 16 + 80 + 64 bits to begin with, 80 for the second time, then 68 + 77 a sample.
    bits = _Bits(rows, (16 + 80 + 64 + 80 + samples * 145) // 64 + 2)
    everywhere = np.ones(rows, dtype=U64)
    bits.append(everywhere * U64(samples), everywhere * U64(16))
    first = times[0]
    _append_uvarint(bits, ((first << 1) ^ (first >> 63)).view(U64))
    bits.append(values[0], everywhere * U64(64))
    window = (np.zeros(rows, dtype=U64), np.full(rows, U64(255)))
    delta = np.zeros(rows, dtype=np.int64)
    for index in range(1, samples):
        step = times[index] - times[index - 1]
        if index == 1:
            _append_uvarint(bits, step.view(U64))
        else:
            _append_time_change(bits, step - delta)
        delta = step
        window = _append_value(bits, values[index] ^ values[index - 1], window)
    return bits.rows()


def _append_uvarint(bits: _Bits, value: Array) -> None:
    left = value.copy()
    open_ = np.ones(len(value), dtype=bool)
    while open_.any():
        more = left >= U64(0x80)
        byte = (left & U64(0x7F)) | np.where(more, U64(0x80), U64(0))
        bits.append(np.where(open_, byte, U64(0)), np.where(open_, U64(8), U64(0)))
        left >>= U64(7)
        open_ &= more


def _append_time_change(bits: _Bits, change: NDArray[np.int64]) -> None:
    if not change.any():
        bits.append(np.zeros(len(change), dtype=U64), np.ones(len(change), dtype=U64))
        return
    size = np.full(len(change), U64(64))
    prefix, prefix_size = np.full(len(change), U64(0b1111)), np.full(len(change), U64(4))
    for code, code_size, payload in ((0b1110, 4, 20), (0b110, 3, 17), (0b10, 2, 14), (0, 1, 0)):
        limit = 1 << (payload - 1) if payload else 0
        fits = (change > -limit) & (change <= limit) if payload else change == 0
        size[fits], prefix[fits], prefix_size[fits] = payload, code, code_size
    mask = np.where(size == 64, U64(2**64 - 1), (U64(1) << np.minimum(size, U64(63))) - U64(1))
    bits.append(prefix, prefix_size)
    bits.append(change.view(U64) & mask, size)


def _append_value(bits: _Bits, xor: Array, window: tuple[Array, Array]) -> tuple[Array, Array]:
    """Writes one XOR per row; `window` is (leading, trailing) of each row, trailing 255 before there is one."""
    changed = xor != 0
    if not changed.any():
        bits.append(np.zeros(len(xor), dtype=U64), np.ones(len(xor), dtype=U64))
        return window
    leading = np.minimum(_leading_zeros(xor), U64(31))
    trailing = U64(63) - _leading_zeros(xor & (~xor + U64(1)))
    old_leading, old_trailing = window
    reuse = changed & (old_trailing != 255) & (leading >= old_leading) & (trailing >= old_trailing)
    fresh = changed & ~reuse
    leading, trailing = np.where(fresh, leading, old_leading), np.where(fresh, trailing, old_trailing)
    safe_trailing = np.minimum(trailing, U64(63))
    significant = np.where(changed, U64(64) - leading - safe_trailing, U64(0))
    control = np.where(fresh, U64(0b11 << 11) | leading << U64(6) | significant & U64(63), U64(0))
    control = np.where(reuse, U64(0b10), control)
    bits.append(control, np.where(fresh, U64(13), np.where(reuse, U64(2), U64(1))))
    bits.append(np.where(changed, xor >> safe_trailing, U64(0)), significant)
    return leading, trailing


def _leading_zeros(value: Array) -> Array:
    """Leading zero bits of each (64 for 0)."""
    count = np.full(len(value), U64(64))
    left = value.copy()
    for step in (32, 16, 8, 4, 2, 1):
        high = left >> U64(step)
        found = high != 0
        count -= np.where(found, U64(step), U64(0))
        left = np.where(found, high, left)
    return count - left
