"""The chain of wrappers that every store gets."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from storegate import UnavailableError
from storegate.config.settings import ObjectStoreRef
from storegate.objstore.opening import wrapped
from storegate.testing.faults import CountingStore, Fault, FaultyStore
from storegate.testing.memory_store import MemoryStore

DOWN = UnavailableError("the store is down")


class TriedOnce(FaultyStore):
    max_retries = 1


class TriedTwice(FaultyStore):
    max_retries = 2


def ref(**settings: object) -> ObjectStoreRef:
    return ObjectStoreRef.model_validate({"type": "MEMORY"} | settings)


@pytest.mark.parametrize(("store", "attempts"), [(TriedOnce, 1), (TriedTwice, 2)])
def test_a_store_says_how_often_it_wants_to_be_asked(store: type[FaultyStore], attempts: int) -> None:
    counting = CountingStore(FaultyStore(MemoryStore(), Fault(error=DOWN)))
    with pytest.raises(UnavailableError):
        wrapped(store(counting), ref(), CollectorRegistry()).get("key")
    assert counting.count() == attempts


def test_the_prefix_lies_above_the_store() -> None:
    inner = MemoryStore()
    wrapped(inner, ref(prefix="/tenant/"), CollectorRegistry()).put("key", b"x")
    assert [info.key for info in inner.list(recursive=True)] == ["tenant/key"]


def test_an_operation_is_counted_once_however_often_it_was_tried() -> None:
    registry = CollectorRegistry()
    faulty = FaultyStore(MemoryStore({"key": b"x"}), Fault(times=2, error=DOWN))
    wrapped(faulty, ref(), registry).get("key")

    def sample(name: str) -> float | None:
        return registry.get_sample_value(name, {"bucket": "memory", "operation": "get"})

    assert sample("thanos_objstore_bucket_operations_total") == 1
    assert sample("thanos_objstore_bucket_operation_failures_total") == 0
