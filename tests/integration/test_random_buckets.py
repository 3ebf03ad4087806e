"""A gateway over random buckets answers as the obvious engine does, and says so when a block is damaged."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from storegate.config.settings import Settings
from storegate.errors import StoregateError
from storegate.gateway import Gateway
from storegate.query.call import Call
from storegate.query.request import LabelNamesRequest, LabelValuesRequest, SeriesRequest
from storegate.testing import (
    ObviousBlock,
    obvious_label_names,
    obvious_label_values,
    obvious_series,
    read_bucket,
    strategies,
)
from storegate.testing.strategies import BlockPlan
from storegate_proto.store.storepb import rpc_pb2

AGGREGATES = ("raw", "count", "sum", "min", "max", "counter")
EXAMPLES = 40

thorough = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
few_requests = st.lists(strategies.series_requests(), min_size=1, max_size=4)


@contextmanager
def folder_of(plans: list[BlockPlan]) -> Iterator[Path]:
    """A bucket in a folder of its own: hypothesis calls a test many times within one `tmp_path`."""
    with tempfile.TemporaryDirectory() as name:
        for plan in plans:
            plan.write(Path(name))
        yield Path(name)


@contextmanager
def serving(bucket: Path) -> Iterator[Gateway]:
    """A gateway without front ends over the bucket."""
    gateway = Gateway(
        Settings.model_validate(
            {
                "object_store": {"type": "FILESYSTEM", "config": {"directory": str(bucket)}},
                "cache_index_header": False,
                "frontends": [],
            }
        )
    )
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


def read(bucket: Path) -> list[ObviousBlock]:
    return read_bucket(bucket, int(time.time() * 1000))


def answer(gateway: Gateway, request: SeriesRequest) -> list[Any]:
    stream = gateway.series(request, Call())
    try:
        messages = [rpc_pb2.SeriesResponse.FromString(frame) for frames in stream for frame in frames]
    finally:
        stream.close()
    series = [one for message in messages for one in (message.batch.series or [message.series])]
    return [
        (
            tuple((label.name, label.value) for label in one.labels),
            [
                (
                    chunk.min_time,
                    chunk.max_time,
                    {
                        name: (getattr(chunk, name).type, getattr(chunk, name).data)
                        for name in AGGREGATES
                        if chunk.HasField(name)
                    },
                )
                for chunk in one.chunks
            ],
        )
        for one in series
    ]


def expected(blocks: list[ObviousBlock], request: SeriesRequest) -> list[Any]:
    return [
        (one.labels, [(chunk.min_time, chunk.max_time, dict(chunk.aggregates)) for chunk in one.chunks])
        for one in obvious_series(blocks, request)
    ]


@thorough
@given(strategies.buckets(), few_requests)
def test_series_are_those_of_the_obvious_engine(plans: list[BlockPlan], requests: list[SeriesRequest]) -> None:
    with folder_of(plans) as bucket, serving(bucket) as gateway:
        blocks = read(bucket)
        for request in requests:
            assert answer(gateway, request) == expected(blocks, request)


@thorough
@given(strategies.buckets(ordered=False), few_requests)
def test_chunks_out_of_order_are_found_too(plans: list[BlockPlan], requests: list[SeriesRequest]) -> None:
    with folder_of(plans) as bucket, serving(bucket) as gateway:
        blocks = read(bucket)
        for request in requests:
            assert answer(gateway, request) == expected(blocks, request)


@thorough
@given(strategies.buckets(), strategies.label_names_requests(), strategies.label_values_requests())
def test_label_calls_are_those_of_the_obvious_engine(
    plans: list[BlockPlan], names: LabelNamesRequest, values: LabelValuesRequest
) -> None:
    with folder_of(plans) as bucket, serving(bucket) as gateway:
        blocks = read(bucket)
        assert list(gateway.label_names(names, Call()).values) == obvious_label_names(blocks, names).values
        assert list(gateway.label_values(values, Call()).values) == obvious_label_values(blocks, values).values


@thorough
@given(
    strategies.block_plans(min_series=2),
    strategies.block_plans(min_series=1),
    few_requests,
    st.data(),
)
def test_a_damaged_block_gives_an_error_or_the_truth(
    damaged: BlockPlan, whole: BlockPlan, requests: list[SeriesRequest], data: st.DataObject
) -> None:
    """An answer that comes is the right one, with the damaged block or, when it was refused, without it."""
    assume(damaged.options.seed != whole.options.seed)  # it makes the ULID
    with folder_of([whole]) as bucket:
        without = read(bucket)
        written = damaged.write(bucket)
        both = read(bucket)
        path = (
            bucket / written.ulid / data.draw(st.sampled_from([name for name in written.sizes if name != "meta.json"]))
        )
        path.write_bytes(data.draw(strategies.damaged(path.read_bytes())))
        with serving(bucket) as gateway:
            for request in requests:
                try:
                    found = answer(gateway, request)
                except StoregateError:
                    continue
                assert found in (expected(both, request), expected(without, request))
