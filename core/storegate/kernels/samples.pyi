import numpy as np
from numpy.typing import NDArray

_Data = bytes | bytearray | memoryview | NDArray[np.uint8]
_Int64 = NDArray[np.int64]

def scan_samples(arena: _Data, subs: _Int64, windows: _Int64, out: _Int64) -> None: ...
