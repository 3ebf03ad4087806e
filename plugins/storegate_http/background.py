"""Work that may take long, on threads that hold up nothing: neither other requests nor the end of the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def on_own_thread(name: str, work: Callable[[], T]) -> asyncio.Future[T]:
    """Run `work` on a new daemon thread; its result, on the event loop of the caller."""
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()  # from now on nobody can cancel it: the thread always delivers

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return asyncio.wrap_future(done)
