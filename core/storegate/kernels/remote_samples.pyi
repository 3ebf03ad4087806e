import numpy as np
from numpy.typing import NDArray

_Data = bytes | bytearray | memoryview | NDArray[np.uint8]
_Int64 = NDArray[np.int64]

def write_timeseries(
    frame: _Data,
    series: _Int64,
    kept: _Int64,
    order: _Int64,
    times: _Int64,
    values: _Int64,
    rows: _Int64,
    chunks: _Int64,
    starts: _Int64,
    layouts: _Int64,
    numbers: _Int64,
    sizes: _Int64,
) -> bytes: ...
