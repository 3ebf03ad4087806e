import numpy as np
from numpy.typing import NDArray

_Data = bytes | bytearray | memoryview | NDArray[np.uint8]
_Int64 = NDArray[np.int64]
_UInt8 = NDArray[np.uint8]

def merge_labels(arena: _Data, starts: _Int64, bounds: _Int64, order: _Int64, first: _UInt8) -> None: ...
