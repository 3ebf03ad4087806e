import numpy as np
from numpy.typing import NDArray

_Data = bytes | bytearray | memoryview | NDArray[np.uint8]
_Int64 = NDArray[np.int64]
_UInt32 = NDArray[np.uint32]

def locate(refs: _UInt32, scale: int, runs: _Int64, out: _Int64) -> int: ...
def entries_size(arena: _Data, places: _Int64) -> int: ...
def decode_series(
    arena: _Data,
    places: _Int64,
    tmin: int,
    tmax: int,
    want_chunks: bool,
    symbols: int,
    state: _Int64,
    rows: _Int64,
    label_start: _Int64,
    label_refs: _UInt32,
    chunk_start: _Int64,
    chunks: _Int64,
) -> int: ...
def label_column(label_start: _Int64, label_refs: _UInt32, name: int, out: _Int64) -> None: ...
