"""Telling observers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from storegate import BlockMeta
from storegate.block.observers import Observers
from storegate.query.stats import QueryStats

META = BlockMeta(ulid="x", min_time=0, max_time=1)


class Notes:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def block_loaded(self, meta: BlockMeta) -> None:
        self.events.append(("loaded", meta))

    def block_dropped(self, meta: BlockMeta, reason: str) -> None:
        self.events.append(("dropped", meta, reason))

    def query_finished(self, stats: QueryStats) -> None:
        self.events.append(("finished", stats))


class Raises(Notes):
    """Fails at everything."""

    def block_loaded(self, meta: BlockMeta) -> None:
        raise ZeroDivisionError

    def block_dropped(self, meta: BlockMeta, reason: str) -> None:
        raise ZeroDivisionError

    def query_finished(self, stats: QueryStats) -> None:
        raise ZeroDivisionError


STATS = QueryStats()
EVENTS: list[tuple[Callable[[Observers], None], tuple[Any, ...]]] = [
    (lambda all_: all_.block_loaded(META), ("loaded", META)),
    (lambda all_: all_.block_dropped(META, "why"), ("dropped", META, "why")),
    (lambda all_: all_.query_finished(STATS), ("finished", STATS)),
]


@pytest.mark.parametrize(("tell", "event"), EVENTS, ids=["block_loaded", "block_dropped", "query_finished"])
def test_one_that_fails_is_logged_and_counted_and_the_next_is_told(
    registry: CollectorRegistry, sample: Callable[..., float | None], tell: Any, event: tuple[Any, ...]
) -> None:
    notes = Notes()
    observers = Observers([("bad", Raises()), ("good", notes)], registry)
    with capture_logs() as logs:
        tell(observers)
    assert notes.events == [event]
    assert [(entry["log_level"], entry["observer"]) for entry in logs] == [("error", "bad")]
    assert sample("storegate_observer_failures_total", observer="bad") == 1
    assert sample("storegate_observer_failures_total", observer="good") == 0


class Closes(Notes):
    """Wants to know when it is over."""

    def close(self) -> None:
        self.events.append(("closed",))


def test_those_that_can_be_closed_are(registry: CollectorRegistry) -> None:
    closes = Closes()
    Observers([("plain", Notes()), ("closes", closes)], registry).close()
    assert closes.events == [("closed",)]
