"""A broken index under lazy download: the reference fails every query that meets it."""

from __future__ import annotations

from pathlib import Path

import grpc

from storegate.testing.block_writer import write_block
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc, types_pb2

LAZY = ("--store.enable-index-header-lazy-reader", "--store.index-header-lazy-download-strategy=lazy")


def test_the_first_query_that_meets_a_broken_index_does_without_that_block(tmp_path: Path, start_store) -> None:
    bucket = tmp_path / "bucket"
    labels = {"__name__": "up", "job": "a"}
    good = write_block(bucket, [(labels, [(1000, 1.0)])], external_labels={"region": "eu"}, seed=1)
    bad = write_block(bucket, [(labels, [(1000, 1.0)])], external_labels={"region": "us"}, seed=2)
    (bucket / bad.ulid / "index").write_bytes(b"not an index at all, but long enough to be asked for" * 4)
    matcher = types_pb2.LabelMatcher(type=types_pb2.LabelMatcher.EQ, name="__name__", value="up")
    request = rpc_pb2.SeriesRequest(min_time=0, max_time=10_000, matchers=[matcher])
    with start_store(bucket, LAZY) as store, grpc.insecure_channel(store.grpc_address) as channel:
        stub = rpc_pb2_grpc.StoreStub(channel)
        answers = [list(stub.Series(request, timeout=30)) for _ in range(2)]
        names = stub.LabelNames(rpc_pb2.LabelNamesRequest(start=0, end=10_000), timeout=30).names
        assert bad.ulid in store.logged()
    regions = [[{label.name: label.value for label in f.series.labels}["region"] for f in a] for a in answers]
    assert regions == [["eu"], ["eu"]]
    assert sorted(names) == ["__name__", "job", "region"]
    assert good.ulid != bad.ulid
