import numpy as np
from numpy.typing import NDArray

_Data = bytes | bytearray | memoryview | NDArray[np.uint8]
_Int64 = NDArray[np.int64]
_UInt32 = NDArray[np.uint32]
_UInt8 = NDArray[np.uint8]

def encode_labels(
    data: _Data,
    symbols: _UInt32,
    base: int,
    label_start: _Int64,
    label_refs: _UInt32,
    dropped: _Int64,
    ext_bound: _Int64,
    ext_fields: _Data,
    ext_start: _Int64,
    arena: _UInt8,
    starts: _Int64,
    done: int,
) -> int: ...
def keeps_order(label_start: _Int64, label_refs: _UInt32, ext_bound: _Int64) -> bool: ...
def first_unsorted(arena: _Data, starts: _Int64) -> int: ...
def sort_labels(arena: _Data, starts: _Int64, order: _Int64, spare: _Int64) -> None: ...
def shard_mask(
    arena: _Data,
    starts: _Int64,
    names: _Data,
    name_start: _Int64,
    by: bool,
    total: int,
    index: int,
    keep: _UInt8,
) -> None: ...
