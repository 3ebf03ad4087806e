import numpy as np
from numpy.typing import NDArray

_Data = bytes | bytearray | memoryview | NDArray[np.uint8]
_Int64 = NDArray[np.int64]

def scan_frame(frame: _Data, series: _Int64, chunks: _Int64) -> tuple[int, int]: ...
def find_tangles(first: _Int64, chunks: _Int64, whole: bool, groups: _Int64) -> int: ...
def write_chunked(
    frame: _Data, arena: _Data, series: _Int64, first: _Int64, chunks: _Int64, query: int, limit: int
) -> bytes: ...
