"""The open index-header of a block: loaded at once or at first use, unloaded when idle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from storegate.errors import CorruptError, NotFoundError, StoregateError
from storegate.index.header import IndexHeader
from storegate.metrics import Metrics

FIRST_PAUSE = 1.0  # s
LONGEST_PAUSE = 30.0

log = structlog.get_logger(component="blocks")


class HeaderHandle:
    """Shares one IndexHeader between all users of a block. Thread-safe.

    A load that failed is tried again at the next use after a short pause, which doubles with each failure; uses during
    the pause get the same error without touching the store. `on_broken` hears of failures that trying again will not
    mend: the index itself is corrupt or absent.
    """

    def __init__(
        self,
        name: str,
        open_header: Callable[[], IndexHeader],
        metrics: Metrics,
        *,
        lazy: bool,
        on_broken: Callable[[StoregateError], None] = lambda error: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._open = open_header
        self._metrics = metrics
        self._lazy = lazy
        self._on_broken = on_broken
        self._clock = clock
        self._state = threading.Lock()  # short: guards the fields below
        self._loading = threading.Lock()  # long: one thread loads, the others wait for it
        self._header: IndexHeader | None = None
        self._users = 0
        self._used = 0.0
        self._closed = False
        self._error: StoregateError | None = None
        self._pause = FIRST_PAUSE
        self._retry_at = 0.0

    @property
    def loaded(self) -> bool:
        """Whether the header is in memory."""
        return self._header is not None

    @contextmanager
    def use(self) -> Iterator[IndexHeader]:
        """The header for the length of the block. Raises what loading raised."""
        header = self._take() or self._load_and_take()
        try:
            yield header
        finally:
            self._give_back()

    def load(self) -> None:
        """Load now, so that the first use need not. Raises what loading raises."""
        with self.use():
            pass

    def unload_if_idle(self, timeout: float) -> bool:
        """Unload a lazily loaded header that nobody used for `timeout` seconds; whether it was."""
        with self._state:
            header = self._header
            if not self._lazy or header is None or self._users or self._clock() - self._used < timeout:
                return False
            self._header = None
        self._metrics.indexheader_lazy_unload_total.inc()
        try:
            header.close()
        except Exception as error:
            self._metrics.indexheader_lazy_unload_failed_total.inc()
            log.warning("an idle index-header did not close", block=self._name, err=str(error))
        return True

    def close(self) -> None:
        """Unload for good, now or when the last user has ended."""
        with self._state:
            self._closed = True
            header = None if self._users else self._header
            if not self._users:
                self._header = None
        if header is not None:
            header.close()

    def _take(self) -> IndexHeader | None:
        with self._state:
            if self._closed:
                raise NotFoundError(f"block {self._name} has been dropped")
            if self._header is not None:
                self._users += 1
            return self._header

    def _give_back(self) -> None:
        with self._state:
            self._users -= 1
            self._used = self._clock()
            header = self._header if self._closed and not self._users else None
            if header is not None:
                self._header = None
        if header is not None:
            header.close()

    def _load_and_take(self) -> IndexHeader:
        with self._loading:
            header = self._take()
            if header is not None:  # another thread loaded while this one waited
                return header
            if self._error is not None and self._clock() < self._retry_at:
                raise self._error.with_traceback(None)
            header = self._load()
            with self._state:
                self._header = header
                self._users += 1
            return header

    def _load(self) -> IndexHeader:
        try:
            header = self._measured_open()
        except StoregateError as error:
            self._error = error
            self._retry_at = self._clock() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            if isinstance(error, CorruptError | NotFoundError):
                self._on_broken(error)
            raise
        self._error = None
        self._pause = FIRST_PAUSE
        return header

    def _measured_open(self) -> IndexHeader:
        if not self._lazy:
            return self._open()
        self._metrics.indexheader_lazy_load_total.inc()
        with self._metrics.indexheader_lazy_load_duration_seconds.time():
            try:
                return self._open()
            except BaseException:
                self._metrics.indexheader_lazy_load_failed_total.inc()
                raise
