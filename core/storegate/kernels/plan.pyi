import numpy as np
from numpy.typing import NDArray

_Int64 = NDArray[np.int64]
_UInt8 = NDArray[np.uint8]

def coalesce(starts: _Int64, ends: _Int64, gap: int) -> _Int64: ...
def join_ranges(cuts: _Int64, starts: _Int64, ends: _Int64) -> tuple[_Int64, int]: ...
def gather_chunks(
    order: _Int64,
    first: _UInt8,
    begin: int,
    groups: int,
    limit: int,
    chunk_start: _Int64,
    chunks: _Int64,
    leaders: _Int64,
    group_start: _Int64,
    rows: _Int64 | None,
) -> tuple[int, int, int]: ...
def plan_chunks(
    rows: _Int64,
    files: _Int64,
    order: _Int64,
    spare: _Int64,
    starts: _Int64,
    ends: _Int64,
    runs: _Int64,
) -> tuple[int, int]: ...
def place_chunks(order: _Int64, starts: _Int64, reads: _Int64, places: _Int64) -> None: ...
