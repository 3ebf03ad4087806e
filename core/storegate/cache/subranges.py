"""Chunk files in aligned parts: ranged reads are put together from those that the cache has (operations 9)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from storegate.cache.bucket_metrics import CachingBucketMetrics
from storegate.cache.chunk_attributes import ChunkAttributes
from storegate.cache.refills import Again, Refill
from storegate.cache.subrange_plan import Plan, copy_into, merged
from storegate.config.settings import CachingBucketRef
from storegate.flights import Flight, Flights, may_wait
from storegate.reads import Read, Taken, Waiting, new_arena
from storegate.types import Cache


class Subranges:
    """Reads of chunk files from a cache, as far as it goes; other reads pass. Thread-safe.

    The size and the time of an object are part of its keys, so that parts of an earlier one are not found. A value of
    the wrong length is a miss. What several requests miss at the same time is fetched once.
    """

    def __init__(
        self,
        cache: Cache,
        attributes: ChunkAttributes,
        settings: CachingBucketRef,
        namespace: str,
        metrics: CachingBucketMetrics,
    ) -> None:
        self.quick: bool = getattr(cache, "local", False) is True
        self.attributes = attributes
        self.flights = Flights()
        self._cache = cache
        self._step = settings.chunk_subrange_size
        self._most = settings.max_chunks_get_range_requests
        self._ttl = settings.chunk_subrange_ttl
        self._namespace = namespace
        self._metrics = metrics

    def take(self, reads: Sequence[Read]) -> Taken:
        """See `storegate.reads.ReadCache`."""
        taken = Taken()
        plans = self._plans(reads, taken)
        if not plans:
            return taken
        landings = self.flights.landings
        found = self._cache.get_many([plan.key(i) for plan in plans for i in range(plan.first, plan.last)])
        missing = self._fill(plans, found)
        if missing:
            try:
                self._fetch(plans, missing, landings, taken)
            except BaseException as error:
                for read in taken.reads:
                    read.failed(error)
                raise
        return taken

    def refilled(self, refill: Refill) -> None:
        """Hand out and store what was read."""
        plan, step = refill.plan, self._step
        copy_into(plan.read, refill.offset, refill.buffer)
        values = {
            key: bytes(refill.buffer[i * step - refill.offset : (i + 1) * step - refill.offset])
            for i, key in refill.leads.items()
        }
        if values and self._ttl > 0:
            self._cache.set_many(values, self._ttl)
        refill.leads = {}
        self.flights.land(values)
        end = -(-(refill.offset + refill.got) // step)
        absent = sum(map(plan.length, set(plan.missing).intersection(range(refill.offset // step, end))))
        self._metrics.fetched_bytes.inc(absent)
        self._metrics.refetched_bytes.inc(refill.got - absent)

    # --- from reads to subranges ---

    def _plans(self, reads: Sequence[Read], taken: Taken) -> list[Plan]:
        """What to look for; reads that are none of this cache's business, or need a question first, go to `taken`."""
        wanted: list[Read] = []
        for read in reads:
            (wanted if self.attributes.is_chunk_file(read.key) else taken.reads).append(read)
        if unknown := {read.key for read in wanted if self.attributes.get(read.key) is None}:
            self.attributes.look_up(unknown)
        plans, asked = [], 0
        for read in wanted:
            plan = self._plan(read)
            if plan is None:
                taken.reads.append(Again.of(read, self, ask=True))
                asked += 1
            elif plan.first < plan.last:
                plans.append(plan)
        if wanted:
            self._metrics.count("attributes", len(wanted), len(wanted) - asked)
        return plans

    def _plan(self, read: Read) -> Plan | None:
        """None when the size of the object is not known, or not for sure where it matters."""
        known, step = self.attributes.get(read.key), self._step
        end = read.offset + len(read.buffer)
        if known is None or (end > known.size and not known.sure):
            return None
        end = min(end, known.size)
        read.got = max(0, end - read.offset)
        prefix = f"subrange:{self._namespace}:{read.key}:{known.version}:{step}:"
        first, last = (read.offset // step, -(-end // step)) if read.got else (0, 0)
        return Plan(read, prefix, known.size, step, first, last)

    def _fill(self, plans: Sequence[Plan], found: dict[str, bytes]) -> list[str]:
        """Copy what was found; the keys of what was not."""
        requested = cached = 0
        shares = 0.0
        missing: list[str] = []
        for plan in plans:
            for i in range(plan.first, plan.last):
                key = plan.key(i)
                value = found.get(key)
                if value is None or len(value) != plan.length(i):
                    plan.missing.append(i)
                    missing.append(key)
                else:
                    copy_into(plan.read, i * self._step, value)
                    cached += len(value)
            requested += plan.read.got
            shares += 1 - len(plan.missing) / (plan.last - plan.first)
        self._metrics.count("get_range", len(plans), shares)
        self._metrics.requested_bytes.inc(requested)
        self._metrics.cached_bytes.inc(cached)
        return missing

    # --- what is missing ---

    def _fetch(self, plans: Sequence[Plan], missing: list[str], landings: int, taken: Taken) -> None:
        """Leave to `taken` the reads that bring what nobody fetches yet, and the waits for the rest."""
        mine, theirs = self.flights.board(missing)
        leading = set(mine)
        try:
            if late := self.flights.landed_since(mine, landings):
                self._fill_late(plans, self._cache.get_many(late), leading)
            alone = bool(theirs) and not may_wait()
            for plan in plans:
                if plan.missing:
                    self._fetch_one(plan, leading, {} if alone else theirs, taken)
        except BaseException as error:
            self.flights.give_up(leading, error)
            raise

    def _fill_late(self, plans: Sequence[Plan], found: dict[str, bytes], leading: set[str]) -> None:
        """Take what came into the cache between looking there and boarding."""
        for plan in plans:
            for i in list(plan.missing):
                key = plan.key(i)
                value = found.get(key)
                if value is not None and len(value) == plan.length(i):
                    copy_into(plan.read, i * self._step, value)
                    plan.missing.remove(i)
                    if key in leading:
                        leading.remove(key)
                        self.flights.land({key: value})

    def _fetch_one(self, plan: Plan, leading: set[str], theirs: dict[str, Flight], taken: Taken) -> None:
        keys = {i: plan.key(i) for i in plan.missing}
        leads = {i: key for i, key in keys.items() if key in leading}
        leading.difference_update(leads.values())  # another read of this batch that needs one of them waits for it
        waited = {i: theirs[key] for i, key in keys.items() if i not in leads and key in theirs}
        for low, high in merged([i for i in plan.missing if i not in waited], self._most):
            end = min(high * self._step, plan.size)
            buffer = new_arena(end - low * self._step)
            led = {i: leads[i] for i in range(low, high) if i in leads}
            taken.reads.append(Refill(plan.read.key, low * self._step, buffer, plan=plan, subranges=self, leads=led))
            for i in range(low, high):
                waited.pop(i, None)  # it lies in a gap that is read over
        if waited:
            taken.waiting.append(Waiting(list(waited.values()), partial(self._settle, plan, waited)))

    def _settle(self, plan: Plan, flights: dict[int, Flight]) -> Read | None:
        for flight in flights.values():
            if flight.error is not None:
                raise flight.error.with_traceback(None)
            if not flight.brought:
                return Again.of(plan.read, self)
        for i, flight in flights.items():
            copy_into(plan.read, i * self._step, flight.value)
            self._metrics.cached_bytes.inc(len(flight.value))
        return None
