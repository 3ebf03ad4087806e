"""A limit for the rate of all requests together."""

from __future__ import annotations

import time
from collections.abc import Callable


class RateLimiter:
    """A bucket of `burst` tokens that gets a new one each `interval` seconds. Used on one thread."""

    def __init__(self, interval: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval
        self._burst = float(burst)
        self._now = now
        self._tokens = float(burst)
        self._at = now()

    def allows(self) -> bool:
        """Take a token; False when there is none."""
        now = self._now()
        self._tokens = min(self._burst, self._tokens + (now - self._at) / self._interval)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
