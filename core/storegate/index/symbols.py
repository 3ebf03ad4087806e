"""The symbol table of an index-header, as positions that kernels look up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from storegate.errors import CorruptError
from storegate.kernels import explain
from storegate.kernels.table import scan_symbols


class Symbols:
    """All symbols in byte order, by ordinal. Immutable, thread-safe.

    `data` is the index-header, symbol k begins (with its length) at `base + positions[k]`. In an index of version 1,
    where a ref is a byte offset, `ordinals` turns refs into ordinals; `limit` bounds the refs of either version, and
    `in_order` says whether refs ascend as the symbols do.
    """

    def __init__(self, data: memoryview, body: int, end: int, version: int, name: str) -> None:
        count = int.from_bytes(data[body : body + 4], "big")
        if end - body < 4 or count > end - body - 4:
            raise CorruptError(f"{count} symbols cannot fit the symbol table", object=name, offset=body)
        self.data = data
        self.base = body
        self.positions: NDArray[np.uint32] = np.empty(count, np.uint32)
        self.limit = count
        self.in_order = True
        self.kept: Any = None  # a place for what a user of the symbols wants to find again
        self._offsets: NDArray[np.int64] | None = None
        self._ranks: NDArray[np.uint32] | None = None
        status, where = scan_symbols(data, body, body + 4, end, version == 2, self.positions)
        if status:
            raise CorruptError(explain(status), object=name, offset=where)
        if version == 1:
            self._sort_version_1()

    def _sort_version_1(self) -> None:
        # The section begins at byte 5 of the index and at byte 14 here, so a symbol moves by 9.
        self._offsets = self.positions.astype(np.int64) + (self.base - 9)
        self.limit = 1 << 32
        in_file_order = [self.text(k) for k in range(len(self.positions))]
        order = sorted(range(len(in_file_order)), key=in_file_order.__getitem__)
        self.in_order = order == list(range(len(order)))
        self._ranks = np.empty(len(order), np.uint32)
        self._ranks[order] = np.arange(len(order), dtype=np.uint32)
        self.positions = self.positions[order]

    def __len__(self) -> int:
        return len(self.positions)

    def text(self, ordinal: int) -> bytes:
        """The symbol's bytes."""
        at = self.base + int(self.positions[ordinal])
        length = shift = 0
        while True:
            byte = self.data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                return bytes(self.data[at : at + length])
            shift += 7

    def find(self, text: bytes) -> tuple[int, bool]:
        """The ordinal of the first symbol not before `text`, and whether it is `text`."""
        low, high = 0, len(self.positions)
        while low < high:
            middle = (low + high) // 2
            if self.text(middle) < text:
                low = middle + 1
            else:
                high = middle
        return low, low < len(self.positions) and self.text(low) == text

    def ordinals(self, refs: NDArray[np.uint32], name: str) -> NDArray[np.uint32]:
        """Refs as they stand in series entries -> ordinals."""
        if self._offsets is None or self._ranks is None:
            return refs
        index = np.searchsorted(self._offsets, refs)
        if len(refs) and (index.max(initial=0) >= len(self._offsets) or not np.array_equal(self._offsets[index], refs)):
            raise CorruptError(explain(16), object=name)
        return self._ranks[index]
