"""The trace of requests (`trace.enable`): a line at level debug for each, without secrets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from storegate.http.answers import StatusError

SHOWN = frozenset({"content-length", "content-type", "range", "x-amz-storage-class", "x-amz-server-side-encryption"})
"""Headers of requests that are shown; others hold keys, tokens and signatures."""

Log = Callable[..., Any]


@contextmanager
def traced(log: Log | None, method: str, url: str, headers: Mapping[str, str]) -> Iterator[None]:
    """Log the request that is made inside, and how it went. Nothing is done without `log`."""
    if log is None:
        yield
        return
    started = time.perf_counter()
    outcome: object = "ok"
    try:
        yield
    except BaseException as error:
        outcome = error.status if isinstance(error, StatusError) else type(error).__name__
        raise
    finally:
        shown = {name: value for name, value in headers.items() if name.lower() in SHOWN}
        seconds = round(time.perf_counter() - started, 6)
        log("s3 request", method=method, url=url, headers=str(shown), outcome=outcome, seconds=seconds)
