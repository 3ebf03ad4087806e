"""Where the time, the requests and the bytes of one query go: by stage, by block, by matcher."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

CLIENT = "client"
"""The stage in which a query waits for the client to take what is ready."""
CHUNKS = "chunks"
"""The stage in which nothing but chunk files is read."""


@dataclass(slots=True)
class StageCost:
    """One stage: when it began first (Unix seconds), and what it took in all."""

    began: float
    seconds: float = 0.0
    requests: int = 0  # to the bucket
    bytes: int = 0
    lookups: int = 0  # keys asked of the index cache
    hits: int = 0


@dataclass(slots=True)
class BlockCost:
    """Reads of one block. `seconds` sums them up, whether they ran side by side or not."""

    requests: int = 0
    bytes: int = 0
    seconds: float = 0.0
    began: float = 0.0  # the first of them, in Unix seconds
    chunk_seconds: float = 0.0  # those of chunk files alone
    chunk_wall_seconds: float = 0.0  # the same, counted once where reads ran side by side
    last_read: float = 0.0  # when a read of chunks ended, by the performance counter


@dataclass(slots=True)
class QueryCosts:
    """The bill of one query. Reads may be reported by any thread, all else by the one that works on the query.

    Stages follow one another: `gate`, `plan`, `postings`, `series`, `merge`, `chunks`, and `client` between them.
    `matcher_seconds` holds the matchers that were run over values, and for how long.
    """

    matchers: tuple[str, ...] = ()
    min_time: int = 0  # ms, of the request
    max_time: int = 0
    request_id: str = ""
    traceparent: str = ""  # of the caller, W3C Trace Context
    began: float = field(default_factory=time.time)
    seconds: float = 0.0
    stage: str = ""
    stages: dict[str, StageCost] = field(default_factory=dict)
    blocks: dict[str, BlockCost] = field(default_factory=dict)
    matcher_seconds: dict[str, float] = field(default_factory=dict)
    _clock: float = field(default_factory=lambda: time.perf_counter(), repr=False)
    _at_work: str = field(default="gate", repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def enter(self, stage: str) -> None:
        """The stage before ends here."""
        now = time.perf_counter()
        spent, self._clock = now - self._clock, now
        self.seconds += spent
        if self.stage:
            self.stages[self.stage].seconds += spent
        if stage:
            self._of(stage)
        if stage != CLIENT and stage:
            self._at_work = stage
        self.stage = stage

    def wait_for_client(self) -> None:
        """Frames are handed out."""
        self.enter(CLIENT)

    def go_on(self) -> None:
        """The client wants more: the stage before goes on."""
        if self.stage == CLIENT or not self.stage:
            self.enter(self._at_work)

    def read_done(self, block: str, size: int, seconds: float) -> None:
        """A request to the bucket brought `size` bytes of a block. Thread-safe."""
        with self._lock:
            of_block = self.blocks.setdefault(block, BlockCost(began=time.time() - seconds))
            for cost in (self._of(self._at_work), of_block):
                cost.requests += 1
                cost.bytes += size
            cost = self.blocks[block]
            cost.seconds += seconds
            if self._at_work == CHUNKS:
                now = time.perf_counter()
                cost.chunk_seconds += seconds
                cost.chunk_wall_seconds += min(seconds, now - cost.last_read)
                cost.last_read = now

    def chunk_reads(self) -> list[tuple[float, float]]:
        """Seconds that the chunks of each block took to be read: all reads together, and by the clock."""
        with self._lock:
            return [(c.chunk_seconds, c.chunk_wall_seconds) for c in self.blocks.values() if c.last_read]

    def looked_up(self, keys: int, hits: int) -> None:
        """The index cache was asked."""
        cost = self._of(self._at_work)
        cost.lookups += keys
        cost.hits += hits

    def matched(self, matcher: str, seconds: float) -> None:
        """A matcher was run over the values of its label."""
        self.matcher_seconds[matcher] = self.matcher_seconds.get(matcher, 0.0) + seconds

    @property
    def requests(self) -> int:
        """To the bucket, so far."""
        with self._lock:
            return sum(cost.requests for cost in self.blocks.values())

    @property
    def bytes(self) -> int:
        """From the bucket, so far."""
        with self._lock:
            return sum(cost.bytes for cost in self.blocks.values())

    def _of(self, stage: str) -> StageCost:
        cost = self.stages.get(stage)
        if cost is None:
            cost = self.stages[stage] = StageCost(time.time())
        return cost
