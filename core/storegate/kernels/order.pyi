import numpy as np
from numpy.typing import NDArray

_Int64 = NDArray[np.int64]

def order_samples(
    starts: _Int64, times: _Int64, low: int, high: int, order: _Int64, spare: _Int64, kept: _Int64
) -> int: ...
def join_counters(
    starts: _Int64, times: _Int64, low: int, high: int, values: NDArray[np.float64], order: _Int64, kept: _Int64
) -> int: ...
