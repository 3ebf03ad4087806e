import numpy as np
from numpy.typing import NDArray

_Data = bytes | bytearray | memoryview | NDArray[np.uint8]

def crc32c(data: _Data, start: int = 0, end: int = -1) -> int: ...
def xxh64(data: _Data) -> int: ...
