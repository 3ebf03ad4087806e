"""Bytes that are not what they were."""

from __future__ import annotations

from hypothesis import strategies as st


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` truncated, with bytes flipped, overwritten by a run, cut out, or put in; never the same, unless empty."""
    if not data:
        return data
    start = draw(st.integers(0, len(data) - 1))
    length = draw(st.integers(1, 8))
    kind = draw(st.sampled_from(("truncate", "flip", "flip", "fill", "cut", "insert")))
    if kind == "truncate":
        return data[:start]
    if kind == "cut":
        return data[:start] + data[start + length :]
    if kind == "insert":
        return data[:start] + draw(st.binary(min_size=1, max_size=8)) + data[start:]
    if kind == "fill":
        filled = data[:start] + (draw(st.sampled_from((b"\0", b"\xff", b"\x80"))) * length)[: len(data) - start]
        filled += data[start + length :]
        if filled != data:
            return filled
    changed = bytearray(data)
    changed[start] ^= draw(st.integers(1, 255))
    return bytes(changed)
