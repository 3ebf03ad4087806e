"""The worker threads of the gRPC front end.

The engine blocks and the event loop must not, so every engine call runs on a worker thread. There are four pools, so
that no kind of call can hold the threads another kind needs:

- `entry` opens a Series call and makes its first list of frames. This is where a call waits at the engine's gate, so
  these threads may all be waiting. They are created as needed; further calls queue, as they would at the gate.
- `running` makes the lists after the first and closes streams. Only calls that passed the gate come here, and none of
  them waits for another call, so it always moves: calls at the gate can never starve the calls they wait for.
- `labels` answers LabelNames and LabelValues, which pass no gate.
- `info` answers Info, which must stay quick when all else is busy: queriers drop a store that does not answer.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

WAITING_CALLS = 512
UNLIMITED_CALLS = 64
LABEL_CALLS = 32


class Pools:
    """Four thread pools; `concurrency` is how many Series calls pass the gate at once, 0 for all of them."""

    def __init__(self, concurrency: int) -> None:
        running = max(concurrency, os.cpu_count() or 1) if concurrency > 0 else UNLIMITED_CALLS
        self.entry = ThreadPoolExecutor(WAITING_CALLS, "grpc-entry")
        self.running = ThreadPoolExecutor(running, "grpc-series")
        self.labels = ThreadPoolExecutor(LABEL_CALLS, "grpc-labels")
        self.info = ThreadPoolExecutor(4, "grpc-info")

    def close(self) -> None:
        """Take no more work. Threads end with the call they are in."""
        for pool in (self.entry, self.running, self.labels, self.info):
            pool.shutdown(wait=False, cancel_futures=True)
