import numpy as np
from numpy.typing import NDArray

_Data = bytes | bytearray | memoryview | NDArray[np.uint8]
_Int64 = NDArray[np.int64]
_UInt64 = NDArray[np.uint64]

def measure_series(
    label_start: _Int64,
    leaders: _Int64,
    kept_start: _Int64,
    kept: _Int64,
    times: _Int64,
    sub_start: _Int64,
    subs: _Int64,
    hashes: _UInt64,
    chunk_size: _Int64,
    size: _Int64,
) -> int: ...
def write_frames(
    begin: int,
    end: int,
    per_frame: int,
    headed: bool,
    labels: _Data,
    arena: _Data,
    label_start: _Int64,
    leaders: _Int64,
    kept_start: _Int64,
    kept: _Int64,
    times: _Int64,
    sub_start: _Int64,
    subs: _Int64,
    hashes: _UInt64,
    chunk_size: _Int64,
    size: _Int64,
) -> list[bytes]: ...
