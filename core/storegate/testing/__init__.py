"""The kit for tests of storegate and of its plugins: a block writer, a slow and obvious reader, faulty object stores.

It needs `storegate[testing]`. Blocks are written with `write_block` and its siblings; `read_block` and `obvious_series`
say what must come back; `storegate.testing.faults` wraps object stores, `storegate.testing.flaky_proxy` harms
connections, `storegate.testing.strategies` makes random input. `object_store_suite`, `cache_suite`, `meta_filter_suite`
and `partitioner_suite` hold tests to inherit; `gateway` starts a gateway, `fixtures` has it as a fixture of pytest.
"""

from __future__ import annotations

from storegate.testing.block_writer import (
    BlockOptions,
    WrittenBlock,
    encode_arrays,
    make_ulid,
    write_block,
    write_block_arrays,
    write_block_raw,
)
from storegate.testing.chunks import Histogram, RawChunk
from storegate.testing.obvious import (
    ObviousBlock,
    obvious_label_names,
    obvious_label_values,
    obvious_series,
    read_block,
    read_bucket,
    read_index,
)

__all__ = [
    "BlockOptions",
    "Histogram",
    "ObviousBlock",
    "RawChunk",
    "WrittenBlock",
    "encode_arrays",
    "make_ulid",
    "obvious_label_names",
    "obvious_label_values",
    "obvious_series",
    "read_block",
    "read_bucket",
    "read_index",
    "write_block",
    "write_block_arrays",
    "write_block_raw",
]
