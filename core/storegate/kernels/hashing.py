# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""xxHash64 (seed 0) and CRC32C (Castagnoli) over a stretch of a buffer.

xxHash64 fills `Chunk.hash` and decides shards; CRC32C guards every section, series and chunk of a block.
`crc32c_at`, `xxh64_at` and both at once are for the other kernels; callers check that the stretch lies inside the
buffer.
"""

from __future__ import annotations

try:
    import cython
except ImportError:
    from storegate.kernels import _cython as cython

if cython.compiled:
    from cython.cimports.storegate.kernels.hashing import (
        sg_crc32c,
        sg_crc_is_fast,
        sg_crc_more,
        sg_crc_prepare,
        sg_crc_word,
        sg_load32,
        sg_load64,
    )

    sg_crc_prepare()
else:
    _CRC_TABLE = []
    for _i in range(256):
        _c = _i
        for _k in range(8):
            _c = (_c >> 1) ^ 0x82F63B78 if _c & 1 else _c >> 1
        _CRC_TABLE.append(_c)

    def sg_crc32c(p, n):
        crc = 0xFFFFFFFF
        for byte in bytes(p[:n]):
            crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
        return crc ^ 0xFFFFFFFF

    def sg_load64(p):
        return int.from_bytes(p[:8], "little")

    def sg_load32(p):
        return int.from_bytes(p[:4], "little")


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _P1() -> cython.ulonglong:
    prime: cython.ulonglong = 0x9E3779B185EBCA87
    return prime


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _P2() -> cython.ulonglong:
    prime: cython.ulonglong = 0xC2B2AE3D27D4EB4F
    return prime


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _P3() -> cython.ulonglong:
    prime: cython.ulonglong = 0x165667B19E3779F9
    return prime


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _P4() -> cython.ulonglong:
    prime: cython.ulonglong = 0x85EBCA77C2B2AE63
    return prime


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _P5() -> cython.ulonglong:
    prime: cython.ulonglong = 0x27D4EB2F165667C5
    return prime


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _wrap(value: cython.ulonglong) -> cython.ulonglong:
    """Cut to 64 bits: compiled arithmetic does so by itself."""
    return value if cython.compiled else value & 0xFFFFFFFFFFFFFFFF


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _rotate(value: cython.ulonglong, by: cython.int) -> cython.ulonglong:
    return _wrap(value << by) | (value >> (64 - by))


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _round(acc: cython.ulonglong, word: cython.ulonglong) -> cython.ulonglong:
    return _wrap(_rotate(_wrap(acc + _wrap(word * _P2())), 31) * _P1())


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _fold(acc: cython.ulonglong, lane: cython.ulonglong) -> cython.ulonglong:
    return _wrap(_wrap((acc ^ _round(0, lane)) * _P1()) + _P4())


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _load64(p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t) -> cython.ulonglong:
    return sg_load64(p + pos) if cython.compiled else sg_load64(p[pos : pos + 8])


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _load32(p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t) -> cython.ulonglong:
    return sg_load32(p + pos) if cython.compiled else sg_load32(p[pos : pos + 4])


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def crc32c_at(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t, length: cython.Py_ssize_t
) -> cython.uint:
    return sg_crc32c(p + pos, length) if cython.compiled else sg_crc32c(p[pos : pos + length], length)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _lanes(a: cython.ulonglong, b: cython.ulonglong, c: cython.ulonglong, d: cython.ulonglong) -> cython.ulonglong:
    """The four lanes of xxHash64 as one."""
    h: cython.ulonglong = _wrap(_wrap(_rotate(a, 1) + _rotate(b, 7)) + _wrap(_rotate(c, 12) + _rotate(d, 18)))
    return _fold(_fold(_fold(_fold(h, a), b), c), d)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _finish(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t, end: cython.Py_ssize_t, h: cython.ulonglong
) -> cython.ulonglong:
    """The last up to 31 bytes of xxHash64, and its avalanche."""
    a: cython.ulonglong = _P5()
    while pos + 8 <= end:
        h = _wrap(_wrap(_rotate(h ^ _round(0, _load64(p, pos)), 27) * _P1()) + _P4())
        pos += 8
    if pos + 4 <= end:
        h = _wrap(_wrap(_rotate(h ^ _wrap(_load32(p, pos) * _P1()), 23) * _P2()))
        h = _wrap(h + _P3())
        pos += 4
    while pos < end:
        h = _wrap(_rotate(h ^ _wrap(a * p[pos]), 11) * _P1())
        pos += 1
    h = _wrap((h ^ (h >> 33)) * _P2())
    h = _wrap((h ^ (h >> 29)) * _P3())
    return h ^ (h >> 32)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def xxh64_at(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t, length: cython.Py_ssize_t
) -> cython.ulonglong:
    end: cython.Py_ssize_t = pos + length
    h: cython.ulonglong = _P5()
    a: cython.ulonglong = 0x60EA27EEADC0B5D6  # the four seeds for seed 0
    b: cython.ulonglong = _P2()
    c: cython.ulonglong = 0
    d: cython.ulonglong = 0x61C8864E7A143579
    if length >= 32:
        while pos + 32 <= end:
            a = _round(a, _load64(p, pos))
            b = _round(b, _load64(p, pos + 8))
            c = _round(c, _load64(p, pos + 16))
            d = _round(d, _load64(p, pos + 24))
            pos += 32
        h = _lanes(a, b, c, d)
    return _finish(p, pos, end, _wrap(h + length))


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def crc32c_and_xxh64_at(
    p: cython.pointer(cython.const[cython.uchar]), pos: cython.Py_ssize_t, length: cython.Py_ssize_t
) -> tuple[cython.uint, cython.ulonglong]:
    """CRC32C of p[pos - 1:pos + length] and xxHash64 of p[pos:pos + length]: what a chunk needs, side by side.

    The two do not wait for one another, so the processor computes both in the time of the slower.
    """
    end: cython.Py_ssize_t = pos + length
    ones: cython.ulonglong = 0xFFFFFFFF
    crc: cython.ulonglong = ones
    h: cython.ulonglong = _P5()
    v: cython.ulonglong
    w: cython.ulonglong
    x: cython.ulonglong
    y: cython.ulonglong
    a: cython.ulonglong = 0x60EA27EEADC0B5D6
    b: cython.ulonglong = _P2()
    c: cython.ulonglong = 0
    d: cython.ulonglong = 0x61C8864E7A143579
    if not cython.compiled or not sg_crc_is_fast():
        return crc32c_at(p, pos - 1, length + 1), xxh64_at(p, pos, length)
    crc = sg_crc_more(crc, p + pos - 1, 1)
    if length >= 32:
        while pos + 32 <= end:
            v = _load64(p, pos)
            w = _load64(p, pos + 8)
            x = _load64(p, pos + 16)
            y = _load64(p, pos + 24)
            crc = sg_crc_word(sg_crc_word(sg_crc_word(sg_crc_word(crc, v), w), x), y)
            a = _round(a, v)
            b = _round(b, w)
            c = _round(c, x)
            d = _round(d, y)
            pos += 32
        h = _lanes(a, b, c, d)
    crc = sg_crc_more(crc, p + pos, end - pos)
    return crc ^ ones, _finish(p, pos, end, _wrap(h + length))


def crc32c(data, start=0, end=-1):
    """CRC32C of `data[start:end]` (any bytes-like object; the end of the buffer when negative). Releases the GIL."""
    buf: cython.const[cython.uchar][::1] = memoryview(data)
    p: cython.pointer(cython.const[cython.uchar])
    size: cython.Py_ssize_t = buf.shape[0]
    first: cython.Py_ssize_t = start
    last: cython.Py_ssize_t = size if end < 0 else end
    result: cython.uint
    if not 0 <= first <= last <= size:
        raise ValueError("the stretch is outside the buffer")
    if first == last:
        return 0
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    with cython.nogil:
        result = crc32c_at(p, first, last - first)
    return result


def xxh64(data):
    """xxHash64 of a bytes-like object, seed 0."""
    buf: cython.const[cython.uchar][::1] = memoryview(data)
    p: cython.pointer(cython.const[cython.uchar])
    size: cython.Py_ssize_t = buf.shape[0]
    if size == 0:
        return 0xEF46DB3751D8E999
    if cython.compiled:
        p = cython.address(buf[0])
    else:
        p = buf
    return xxh64_at(p, 0, size)
