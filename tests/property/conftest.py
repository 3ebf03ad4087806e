"""Gateways over random buckets, tuned so that every edge of pages, batches and windows occurs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from storegate.config.settings import Settings
from storegate.gateway import Gateway
from storegate.index import lists, pages
from storegate.query import select, stream, window
from storegate.query.call import Call
from storegate.query.request import SeriesRequest
from storegate.reads import Reader
from storegate.testing import ObviousBlock, obvious_series, read_block
from storegate_proto.store.storepb.rpc_pb2 import SeriesResponse

AGGREGATES = ("raw", "count", "sum", "min", "max", "counter")
MODULES = {"pages": pages, "lists": lists, "stream": stream, "select": select, "window": window, "reader": Reader}


@dataclass
class Served:
    """A gateway over a bucket, and what the obvious reader finds there, in the order in which the gateway reads."""

    gateway: Gateway
    blocks: list[ObviousBlock]

    def raw(self, request: SeriesRequest) -> list[bytes]:
        """The frames of an answer as bytes."""
        call = self.gateway.series(request, Call())
        try:
            return [frame for frames in call for frame in frames]
        finally:
            call.close()

    def frames(self, request: SeriesRequest) -> list[SeriesResponse]:
        """The frames of an answer; each must be canonical protobuf."""
        raw = self.raw(request)
        messages = [SeriesResponse.FromString(frame) for frame in raw]
        assert [message.SerializeToString() for message in messages] == raw
        return messages

    def series(self, request: SeriesRequest) -> list[Any]:
        """Comparable with `expected`."""
        return [
            (tuple((label.name, label.value) for label in one.labels), [comparable(chunk) for chunk in one.chunks])
            for message in self.frames(request)
            for one in (message.batch.series or [message.series])
        ]

    def expected(self, request: SeriesRequest, **options: Any) -> list[Any]:
        """What the obvious engine answers."""
        return [
            (one.labels, [(chunk.min_time, chunk.max_time, dict(chunk.aggregates)) for chunk in one.chunks])
            for one in obvious_series(self.blocks, request, **options)
        ]


@dataclass(frozen=True)
class Tuning:
    """Settings of the gateway, and constants that are replaced: `module.NAME` by value."""

    settings: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)


def comparable(chunk: Any) -> tuple[int, int, dict[str, tuple[int, bytes]]]:
    found = {name: getattr(chunk, name) for name in AGGREGATES if chunk.HasField(name)}
    return chunk.min_time, chunk.max_time, {name: (sub.type, sub.data) for name, sub in found.items()}


@contextmanager
def serving(plans: Sequence[Any], tuning: Tuning, folder: Path | None = None) -> Iterator[Served]:
    """With a `folder`, the blocks that are in it already are served too, but not expected."""
    with ExitStack() as stack:
        folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ulids = [plan.write(folder).ulid for plan in plans]
        blocks = [read_block(folder / ulid) for ulid in ulids]
        blocks.sort(key=lambda block: (sorted(block.labels.items()), block.ulid))
        for name, value in tuning.constants.items():
            module, _, attribute = name.partition(".")
            stack.enter_context(patch.object(MODULES[module], attribute, value))
        given = {
            "object_store": {"type": "FILESYSTEM", "config": {"directory": str(folder)}},
            "cache_index_header": False,
            "frontends": [],
            "meta_filters": [],
        }
        gateway = Gateway(Settings.model_validate(given | tuning.settings))
        gateway.start()
        stack.callback(gateway.stop, 0.0)
        yield Served(gateway, blocks)


@pytest.fixture(scope="session")
def serve() -> Callable[..., Any]:
    """`with serve(plans, settings, constants, folder) as served`: writes the blocks and serves them."""
    return lambda plans, settings=None, constants=None, folder=None: serving(
        plans, Tuning(settings or {}, constants or {}), folder
    )
