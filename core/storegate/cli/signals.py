"""SIGTERM and SIGINT: the first asks to stop, the second ends the process at once. SIGHUP asks to reload."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import structlog

_STOP = (signal.SIGTERM, signal.SIGINT)
_END = b"\0"  # no signal has this number


class StopSignals:
    """A context in which stop signals set the event `stopped`. Enter it on the main thread.

    `on_hangup` is called for each SIGHUP on a thread of its own, so that slow files hold up no stop.

    Signals are taken from the wakeup file descriptor by a thread. A handler written in Python would run between any two
    instructions of the main thread, which may hold the very lock that the handler needs, and not at all while the main
    thread waits.
    """

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.on_hangup: Callable[[], None] | None = None
        self._log = structlog.get_logger(component="store")
        self._before: dict[signal.Signals, Any] = {}
        self._reader = self._writer = self._wakeup = -1
        self._thread = threading.Thread(target=self._watch, name="signals", daemon=True)

    def __enter__(self) -> StopSignals:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (*_STOP, signal.SIGHUP):
            self._before[number] = signal.signal(number, _nothing)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.write(self._writer, _END)
        self._thread.join()
        os.close(self._writer)
        os.close(self._reader)

    def wait(self) -> None:
        """Until the first stop signal."""
        self.stopped.wait()

    def _watch(self) -> None:
        while (byte := os.read(self._reader, 1)) != _END:
            number = byte[0]
            if number == signal.SIGHUP:
                self._hang_up()
            elif number in _STOP:
                if self.stopped.is_set():
                    os._exit(128 + number)
                self._log.info("stopping, a second signal ends at once", signal=signal.Signals(number).name)
                self.stopped.set()

    def _hang_up(self) -> None:
        if self.on_hangup is None:
            self._log.info("SIGHUP has no effect: there is nothing to reload")
        else:
            threading.Thread(target=self.on_hangup, name="reload", daemon=True).start()


def _nothing(number: int, frame: FrameType | None) -> None:
    """What is to be done is done by the watching thread."""
