import numpy as np
from numpy.typing import NDArray

_Data = bytes | bytearray | memoryview | NDArray[np.uint8]
_Int64 = NDArray[np.int64]

def measure_chunks(data: _Data, chunks: _Int64, sizes: _Int64, nothing: _Int64) -> tuple[int, int]: ...
def decode_chunks(
    data: _Data,
    chunks: _Int64,
    starts: _Int64,
    times: _Int64,
    values: _Int64,
    rows: _Int64,
    layouts: _Int64,
    numbers: _Int64,
    scratch: _Int64,
) -> tuple[int, int]: ...
