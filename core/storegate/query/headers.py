"""Index-headers that are not loaded yet: each is loaded once, by the pool, while the queries that need it wait."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Executor

from storegate.block.block import Block
from storegate.errors import CancelledError, DeadlineError, StoregateError, UnavailableError
from storegate.flights import Flights, when_all_landed
from storegate.query.call import Call


class HeaderLoads:
    """Loads index-headers side by side on `pool`. Thread-safe."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._flights = Flights()

    def load(self, blocks: Iterable[Block], call: Call) -> None:
        """Returns once each load has ended, well or not: using the header tells. Raises when the call ends before.

        Loads that have begun go on then, those that have not are left to other calls that wait for them.
        """
        left = {block.meta.ulid: block for block in blocks}
        while left:
            mine, theirs = self._flights.board(left)
            for ulid in mine:
                self._submit(left[ulid], call)
            flights = {**mine, **theirs}
            landed = threading.Event()
            when_all_landed(flights.values(), landed.set)
            call.wait(landed)
            for flight in flights.values():
                if flight.error is not None:
                    raise flight.error.with_traceback(None)
            left = {ulid: block for ulid, block in left.items() if not flights[ulid].brought}

    def _submit(self, block: Block, call: Call) -> None:
        try:
            self._pool.submit(self._load, block, call)
        except RuntimeError:  # the pool is shut down
            self._flights.give_up([block.meta.ulid], UnavailableError("the gateway stops"))

    def _load(self, block: Block, call: Call) -> None:
        try:
            call.check()
        except (CancelledError, DeadlineError):
            self._flights.give_up([block.meta.ulid])
            return
        try:
            block.load_header()
        except StoregateError:
            pass  # the query meets it again, with the block's name
        finally:
            self._flights.land({block.meta.ulid: None})
