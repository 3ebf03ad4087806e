import numpy as np
from numpy.typing import NDArray

_Data = bytes | bytearray | memoryview | NDArray[np.uint8]
_Int64 = NDArray[np.int64]

def encode_chunks(
    data: _Data,
    chunks: _Int64,
    starts: _Int64,
    kept: _Int64,
    order: _Int64,
    times: _Int64,
    values: _Int64,
    rows: _Int64,
    layouts: _Int64,
    numbers: _Int64,
    scratch: _Int64,
    per_chunk: int,
    out: NDArray[np.uint8],
    made: _Int64,
) -> tuple[int, int]: ...
