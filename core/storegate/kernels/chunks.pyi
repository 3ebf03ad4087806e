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
    leaders: _Int64,
    chunk_start: _Int64,
    times: _Int64,
    sub_start: _Int64,
    subs: _Int64,
    hashes: _UInt64,
) -> tuple[_Int64, _Int64]: ...
