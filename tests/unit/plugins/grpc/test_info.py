"""Info, old and new."""

from __future__ import annotations

import grpc
import pytest

from storegate.query.request import StoreInfo, TSDBInfo
from storegate_proto.info.infopb import rpc_pb2 as info_pb2
from storegate_proto.info.infopb import rpc_pb2_grpc as info_pb2_grpc
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

WAIT = 10.0
TWO_SETS = StoreInfo(
    label_sets=((("a", "1"), ("b", "2")), ()),
    min_time=5,
    max_time=50,
    tsdb_infos=(TSDBInfo(labels=(), min_time=5, max_time=50),),
)


def info(served):
    return info_pb2_grpc.InfoStub(served.channel).Info(info_pb2.InfoRequest(), timeout=WAIT)


def legacy(served):
    return rpc_pb2_grpc.StoreStub(served.channel).Info(rpc_pb2.InfoRequest(), timeout=WAIT)


def test_a_store_with_sharding_and_replica_labels_is_advertised(served):
    answer = info(served)
    assert answer.ComponentType == "store"
    assert answer.store.supports_sharding
    assert answer.store.supports_without_replica_labels
    assert not answer.store.supports_projections
    assert not answer.HasField("rules")


def test_label_sets_and_times_are_those_of_the_gateway(served):
    served.gateway.store = TWO_SETS
    answer = info(served)
    sets = [[(label.name, label.value) for label in entry.labels] for entry in answer.label_sets]
    assert sets == [[("a", "1"), ("b", "2")], []]
    assert (answer.store.min_time, answer.store.max_time) == (5, 50)


def test_a_tsdb_info_without_labels_has_an_empty_label_set(served):
    served.gateway.store = TWO_SETS
    (entry,) = info(served).store.tsdb_infos
    assert entry.HasField("labels")
    assert (entry.min_time, entry.max_time) == (5, 50)


def test_the_extreme_times_of_an_empty_store_fit(served):
    served.gateway.store = StoreInfo(label_sets=(), min_time=2**63 - 1, max_time=-(2**63), tsdb_infos=())
    assert info(served).store.max_time == -(2**63)


def test_old_queriers_learn_the_type_and_the_label_sets(served):
    served.gateway.store = TWO_SETS
    answer = legacy(served)
    assert answer.storeType == rpc_pb2.STORE
    assert len(answer.label_sets) == 2
    assert not answer.labels


def test_old_queriers_get_the_labels_of_an_only_set(served):
    answer = legacy(served)
    assert [(label.name, label.value) for label in answer.labels] == [("region", "eu")]
    assert (answer.min_time, answer.max_time) == (1, 9)


@pytest.mark.parametrize("ask", [info, legacy])
def test_a_store_that_is_not_ready_says_so(served, ask):
    served.gateway.set_ready(False)
    with pytest.raises(grpc.RpcError) as caught:
        ask(served)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNKNOWN, "Not ready")
