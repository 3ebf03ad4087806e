import numpy as np
from numpy.typing import NDArray

_Data = bytes | bytearray | memoryview | NDArray[np.uint8]
_Int64 = NDArray[np.int64]
_UInt64 = NDArray[np.uint64]
_UInt32 = NDArray[np.uint32]

def symbol_ordinals(data: _Data, base: int, positions: _UInt32, values: _Data, spans: _Int64, out: _Int64) -> int: ...
def fill_slots(pairs: _UInt64, slots: _Int64) -> int: ...
def tally_pairs(
    label_start: _Int64,
    label_refs: _UInt32,
    weights: _UInt64,
    pairs: _UInt64,
    slots: _Int64,
    counts: _Int64,
    sums: _UInt64,
    begin: int,
) -> int: ...
def first_unordered(label_start: _Int64, label_refs: _UInt32, begin: int) -> int: ...
