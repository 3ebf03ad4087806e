"""The file format of `go tool pprof`: gzipped protobuf (github.com/google/pprof, proto/profile.proto).

Written by hand: four small messages do not make the core depend on protobuf.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable

from storegate.profiling.profile import Frame, Profile


def encode(profile: Profile) -> bytes:
    """The profile as a gzipped `perftools.profiles.Profile`."""
    return gzip.compress(_Encoder().encode(profile), compresslevel=6)


class _Encoder:
    """Numbers strings, functions and locations as they appear."""

    def __init__(self) -> None:
        self._strings: dict[str, int] = {"": 0}
        self._functions: dict[tuple[str, str], int] = {}
        self._locations: dict[Frame, int] = {}

    def encode(self, profile: Profile) -> bytes:
        kinds = [_bytes(1, self._kind(*kind)) for kind in profile.kinds]
        samples = [
            _bytes(2, self._sample(stack, thread, values)) for (stack, thread), values in profile.samples.items()
        ]
        period = _bytes(11, self._kind(*profile.kinds[-1])) + _varint_field(12, profile.period)
        locations = [_bytes(4, self._location(frame, number)) for frame, number in self._locations.items()]
        functions = [_bytes(5, self._function(*key, number)) for key, number in self._functions.items()]
        times = _varint_field(9, profile.began) + _varint_field(10, profile.duration)
        strings = [_bytes(6, text.encode(errors="replace")) for text in self._strings]
        return b"".join([*kinds, *samples, *locations, *functions, *strings, times, period])

    def _kind(self, name: str, unit: str) -> bytes:
        return _varint_field(1, self._string(name)) + _varint_field(2, self._string(unit))

    def _sample(self, stack: Iterable[Frame], thread: str, values: Iterable[int]) -> bytes:
        numbers = [self._locations.setdefault(frame, len(self._locations) + 1) for frame in stack]
        message = _packed(1, numbers) + _packed(2, values)
        if thread:
            label = _varint_field(1, self._string("thread")) + _varint_field(2, self._string(thread))
            message += _bytes(3, label)
        return message

    def _location(self, frame: Frame, number: int) -> bytes:
        key = (frame.function, frame.file)
        function = self._functions.setdefault(key, len(self._functions) + 1)
        return _varint_field(1, number) + _bytes(4, _varint_field(1, function) + _varint_field(2, frame.line))

    def _function(self, name: str, file: str, number: int) -> bytes:
        text = self._string(name)
        return (
            _varint_field(1, number)
            + _varint_field(2, text)
            + _varint_field(3, text)
            + _varint_field(4, self._string(file))
        )

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1  # negative numbers are their two's complement
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def _varint_field(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number) if number else b""


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _packed(field: int, numbers: Iterable[int]) -> bytes:
    return _bytes(field, b"".join(map(_varint, numbers)))
