"""SIGTERM and SIGINT: the first asks to stop, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

import structlog


class StopSignals:
    """A context in which stop signals set an event. Enter it on the main thread."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self._log = structlog.get_logger().bind(component="store")
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._stop)
        self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._ignore)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self) -> None:
        """Until the first stop signal."""
        self.stopped.wait()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.stopped.is_set():
            os._exit(128 + number)
        self.stopped.set()
        self._log.info("stopping, a second signal ends at once", signal=signal.Signals(number).name)

    def _ignore(self, number: int, frame: FrameType | None) -> None:
        self._log.info("SIGHUP has no effect: there is nothing to reload")
