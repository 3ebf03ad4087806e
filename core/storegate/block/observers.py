"""Telling observers what happened, without letting their failures in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, Counter

from storegate.types import BlockMeta, Observer, SupportsClose

if TYPE_CHECKING:
    from storegate.query.stats import QueryStats

log = structlog.get_logger(component="observers")


class Observers:
    """All observers as one. An exception in one is logged and counted, and the others are told all the same."""

    def __init__(self, observers: Sequence[tuple[str, Observer]], registry: CollectorRegistry) -> None:
        self._observers = tuple(observers)
        self._failures = Counter(
            "storegate_observer_failures_total", "Exceptions in observers.", ["observer"], registry=registry
        )
        for name, _ in self._observers:
            self._failures.labels(name)

    def block_loaded(self, meta: BlockMeta) -> None:
        """See `storegate.Observer`."""
        self._tell(lambda observer: observer.block_loaded(meta))

    def block_dropped(self, meta: BlockMeta, reason: str) -> None:
        """See `storegate.Observer`."""
        self._tell(lambda observer: observer.block_dropped(meta, reason))

    def query_finished(self, stats: QueryStats) -> None:
        """See `storegate.Observer`."""
        self._tell(lambda observer: observer.query_finished(stats))

    def close(self) -> None:
        """Let those that have a method `close` send what they hold back."""
        self._tell(lambda observer: observer.close() if isinstance(observer, SupportsClose) else None)

    def _tell(self, event: Callable[[Observer], None]) -> None:
        for name, observer in self._observers:
            try:
                event(observer)
            except Exception:
                self._failures.labels(name).inc()
                log.exception("an observer failed", observer=name, origin=getattr(observer, "origin", ""))
