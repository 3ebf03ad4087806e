"""From protobuf bytes to records."""

from __future__ import annotations

import pytest

from storegate.errors import InvalidRequestError
from storegate.query.request import LabelMatcher, SeriesRequest, Shard
from storegate_grpc import requests
from storegate_proto.store.hintspb import hints_pb2
from storegate_proto.store.storepb import rpc_pb2


def decode(**fields):
    return requests.series_request(rpc_pb2.SeriesRequest(**fields).SerializeToString())[0]


def test_every_field_that_a_gateway_uses_is_taken_over():
    assert decode(
        min_time=-5,
        max_time=7,
        matchers=[{"type": 3, "name": "a", "value": "b"}],
        max_resolution_window=300000,
        aggregates=[1, 5],
        skip_chunks=True,
        shard_info={"shard_index": 1, "total_shards": 3, "by": True, "labels": ["x"]},
        without_replica_labels=["r"],
        limit=9,
        response_batch_size=64,
    ) == SeriesRequest(
        min_time=-5,
        max_time=7,
        matchers=(LabelMatcher(3, "a", "b"),),
        max_resolution=300000,
        aggregates=(1, 5),
        skip_chunks=True,
        shard=Shard(index=1, total=3, by=True, labels=("x",)),
        without_replica_labels=("r",),
        limit=9,
        batch_size=64,
    )


def test_an_empty_request_is_valid():
    assert decode() == SeriesRequest(min_time=0, max_time=0)


@pytest.mark.parametrize(("sent", "used"), [(-1, 0), (-(2**63), 0), (0, 0), (64, 64), (2**62, requests.MAX_BATCH)])
def test_the_batch_size_is_clamped(sent, used):
    assert decode(response_batch_size=sent).batch_size == used


def test_a_negative_resolution_means_raw_data():
    assert decode(max_resolution_window=-1).max_resolution == 0


def test_a_negative_limit_is_off():
    assert decode(limit=-1).limit == 0


def test_an_unknown_matcher_type_reaches_the_engine():
    assert decode(matchers=[{"type": 9}]).matchers[0].type == 9


def test_hints_bring_block_matchers_and_the_wish_for_statistics():
    message = rpc_pb2.SeriesRequest()
    message.hints.Pack(
        hints_pb2.SeriesRequestHints(block_matchers=[{"name": "region", "value": "eu"}], enable_query_stats=True)
    )
    record, want_stats = requests.series_request(message.SerializeToString())
    assert record.block_matchers == (LabelMatcher(0, "region", "eu"),)
    assert want_stats


def test_text_that_is_not_utf8_is_the_clients_fault():
    data = (
        rpc_pb2.SeriesRequest(matchers=[{"name": "n", "value": "@@"}]).SerializeToString().replace(b"@@", b"\xff\xfe")
    )
    with pytest.raises(InvalidRequestError, match=r"no thanos\.SeriesRequest"):
        requests.series_request(data)
