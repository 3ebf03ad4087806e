import numpy as np
from numpy.typing import NDArray

_Data = bytes | bytearray | memoryview | NDArray[np.uint8]
_Int64 = NDArray[np.int64]
_UInt32 = NDArray[np.uint32]
_UInt8 = NDArray[np.uint8]

def scan_symbols(data: _Data, base: int, start: int, end: int, ordered: bool, out: _UInt32) -> tuple[int, int]: ...
def scan_postings_table(
    data: _Data,
    base: int,
    start: int,
    end: int,
    count: int,
    sampling: int,
    low: int,
    high: int,
    names: _Int64,
    samples: _UInt32,
) -> tuple[int, int, int, int]: ...
def find_lists(
    data: _Data,
    base: int,
    end: int,
    skip: int,
    samples: _UInt32,
    last_end: int,
    values: _Data,
    bounds: _Int64,
    out: _Int64,
) -> int: ...
def list_values(
    data: _Data, base: int, end: int, first: int, skip: int, values: _Int64, offsets: _Int64
) -> tuple[int, int]: ...
def join_values(data: _Data, values: _Int64, out: _UInt8, starts: _Int64) -> bool: ...
