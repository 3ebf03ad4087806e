"""Trying again, after pauses that grow."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from storegate.errors import ThrottledError, UnavailableError
from storegate.objstore.waits import Waits
from storegate.query.call import current_call

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and after which pauses. The pause after attempt n is random, up to `first_pause` * 2**(n - 1)."""

    attempts: int = 10  # operations 12: the default of max_retries
    first_pause: float = 0.2  # s
    longest_pause: float = 5.0
    patience: float = 60.0
    """Seconds after the first failure in which another attempt may begin: ten timeouts would take twenty minutes."""


class Attempts:
    """The attempts at one operation, made when the first one failed. For one thread."""

    def __init__(self, policy: RetryPolicy, waits: Waits, on_retry: Callable[[UnavailableError], None]) -> None:
        self._policy = policy
        self._waits = waits
        self._on_retry = on_retry
        self.made = 0
        self._since = 0.0

    def run(self, attempt: Callable[[], T], error: UnavailableError) -> T:
        """What the first attempt that succeeds gives, after one that failed with `error`.

        Other errors than UnavailableError are raised at once.
        """
        while True:
            self.failed(error)
            try:
                return attempt()
            except UnavailableError as again:
                error = again

    def failed(self, error: UnavailableError) -> None:
        """Wait until the next attempt, or raise the error when there is none."""
        if self.made == 0:
            self._since = time.monotonic()
        self.made += 1
        pause = self._pause(error)
        if not self._worthwhile(pause):
            self._give_up(error)
        self._on_retry(error)
        self._waits.pause(pause)

    def progressed(self) -> None:
        """Something came: the count begins anew."""
        self.made = 0

    def _pause(self, error: UnavailableError) -> float:
        asked = error.retry_after or 0.0 if isinstance(error, ThrottledError) else 0.0
        longest = min(self._policy.longest_pause, self._policy.first_pause * 2.0 ** (self.made - 1))
        return asked + random.uniform(0, longest)

    def _worthwhile(self, pause: float) -> bool:
        """Whether there is an attempt left, and time for it."""
        if self.made >= self._policy.attempts or time.monotonic() - self._since + pause > self._policy.patience:
            return False
        call = current_call()
        remaining = None if call is None else call.remaining()
        return remaining is None or pause < remaining

    def _give_up(self, error: UnavailableError) -> NoReturn:
        if self.made == 1:
            raise error
        text = f"{error} (after {self.made} attempts)"
        if isinstance(error, ThrottledError):
            raise ThrottledError(text, error.retry_after) from error
        raise UnavailableError(text) from error
