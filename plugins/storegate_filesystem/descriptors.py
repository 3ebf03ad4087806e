"""Open file descriptors of objects that never change, kept for a while.

Opening costs ten times what a small read costs (every folder on the way is checked for symlinks). Blocks are
immutable once uploaded, so a descriptor of `index` or of a chunk segment stays right; those of anything else are
never kept.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

IMMUTABLE = re.compile(r"(?:^|.*/)(?:index|chunks/[0-9]{6,})", re.DOTALL)


class _Handle:
    """A descriptor with its users; the last user of a retired handle closes it."""

    __slots__ = ("fd", "retired", "used", "users")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.users = 0
        self.used = 0.0
        self.retired = False


class Descriptors:
    """At most `capacity` descriptors by key, least recently used first to go. Thread-safe.

    A descriptor goes when it was idle for `idle` seconds, when a read through it failed, when its key is dropped, or
    when `sweep` sees that its file was deleted or replaced.
    """

    def __init__(self, open_file: Callable[[str], int], *, capacity: int = 256, idle: float = 60.0) -> None:
        self._open = open_file
        self._capacity = capacity
        self._idle = idle
        self._lock = threading.Lock()
        self._handles: OrderedDict[str, _Handle] = OrderedDict()
        self._closed = False

    def __len__(self) -> int:
        return len(self._handles)

    @contextmanager
    def use(self, key: str) -> Iterator[int]:
        """The descriptor of `key` for the length of the block; raises what opening raises."""
        if IMMUTABLE.fullmatch(key) is None:
            fd = self._open(key)
            try:
                yield fd
            finally:
                os.close(fd)
            return
        handle = self._acquire(key)
        try:
            yield handle.fd
        except OSError:
            self.drop(key)
            raise
        finally:
            self._release(handle)

    def drop(self, key: str) -> None:
        """Forget the descriptor of `key`; running reads end undisturbed."""
        with self._lock:
            handle = self._handles.pop(key, None)
            if handle is not None:
                self._retire(handle)

    def sweep(self) -> None:
        """Forget descriptors that are idle or whose file is gone from its folder."""
        deadline = time.monotonic() - self._idle
        with self._lock:
            for key, handle in list(self._handles.items()):
                if handle.used < deadline or os.fstat(handle.fd).st_nlink == 0:
                    del self._handles[key]
                    self._retire(handle)

    def close(self) -> None:
        """Forget all descriptors."""
        with self._lock:
            self._closed = True
            while self._handles:
                self._retire(self._handles.popitem()[1])

    def _acquire(self, key: str) -> _Handle:
        now = time.monotonic()
        with self._lock:
            handle = self._handles.get(key)
            if handle is not None:
                return self._used(key, handle, now)
        fd = self._open(key)  # outside the lock: a slow disk holds up nobody else
        with self._lock:
            handle = self._handles.get(key)
            if handle is not None:  # another thread was faster
                os.close(fd)
                return self._used(key, handle, now)
            handle = _Handle(fd)
            handle.retired = self._closed
            if not self._closed:
                self._handles[key] = handle
                self._make_room()
            handle.users += 1
            handle.used = now
            return handle

    def _used(self, key: str, handle: _Handle, now: float) -> _Handle:
        handle.users += 1
        handle.used = now
        self._handles.move_to_end(key)
        return handle

    def _make_room(self) -> None:
        while len(self._handles) > self._capacity:
            self._retire(self._handles.popitem(last=False)[1])

    def _retire(self, handle: _Handle) -> None:
        handle.retired = True
        if handle.users == 0:
            with suppress(OSError):
                os.close(handle.fd)

    def _release(self, handle: _Handle) -> None:
        with self._lock:
            handle.users -= 1
            if handle.retired and handle.users == 0:
                with suppress(OSError):
                    os.close(handle.fd)
