import numpy as np
from numpy.typing import NDArray

_Data = bytes | bytearray | memoryview | NDArray[np.uint8]
_Int64 = NDArray[np.int64]
_UInt64 = NDArray[np.uint64]
_UInt8 = NDArray[np.uint8]

def parse_chunks(
    arena: _Data, places: _Int64, wanted: int, state: _Int64, sub_start: _Int64, subs: _Int64, hashes: _UInt64
) -> int: ...
def fold_chunks(
    arena: _Data,
    group_start: _Int64,
    single: _Int64,
    times: _Int64,
    sub_start: _Int64,
    subs: _Int64,
    hashes: _UInt64,
    table: _UInt64,
    kept: _Int64,
    spare: _Int64,
    kept_start: _Int64,
) -> int: ...
