"""What the strategies make is what the writer writes and the reader reads."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storegate.query.request import LabelNamesRequest, LabelValuesRequest, SeriesRequest
from storegate.testing import strategies
from storegate.testing.chunks import AGGR, comparable, decode_chunk, encode_histogram, encode_xor, split_aggregate
from storegate.testing.memory_store import MemoryStore
from storegate.testing.obvious import (
    ObviousBlock,
    compile_matchers,
    labels_key,
    obvious_label_names,
    obvious_label_values,
    obvious_series,
    read_index,
)
from storegate.testing.strategies import BlockPlan

few = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)


def written(plan: BlockPlan) -> ObviousBlock:
    store = MemoryStore()
    block = plan.write(store)
    segments = [store.get(f"{block.ulid}/chunks/{name}") for name in block.document["thanos"]["segment_files"]]
    return ObviousBlock(block.ulid, block.document, read_index(store.get(f"{block.ulid}/index")), segments)


@given(strategies.float_samples())
def test_float_samples_survive_encoding(samples: list[tuple[int, float]]) -> None:
    assert comparable(decode_chunk(1, encode_xor(samples))) == comparable(samples)


@given(strategies.histogram_samples())
def test_histogram_samples_survive_encoding(samples: list) -> None:
    encoding = 3 if samples[0][1].is_float else 2
    assert decode_chunk(encoding, encode_histogram(samples)) == samples


@given(strategies.postings_lists())
def test_postings_ascend(refs: list[int]) -> None:
    assert refs == sorted(set(refs))
    assert all(0 <= ref < 2**32 for ref in refs)


@few
@given(strategies.block_plans())
def test_every_series_and_chunk_of_a_plan_is_read_back(plan: BlockPlan) -> None:
    block = written(plan)
    found = [
        (labels, [(c.min_time, c.max_time, *block.chunk(c)) for c in series.chunks])
        for series in block.series()
        for labels in [series.labels]
    ]
    planned = [
        (labels, [(c.min_time, c.max_time, c.encoding, c.data) for c in chunks]) for labels, chunks in plan.series
    ]
    assert found == sorted(planned, key=lambda entry: labels_key(entry[0]))


@few
@given(strategies.block_plans(resolution=300000, min_series=1))
def test_downsampled_plans_hold_aggregates(plan: BlockPlan) -> None:
    block = written(plan)
    for series in block.series():
        for entry in series.chunks:
            encoding, data = block.chunk(entry)
            assert encoding == AGGR
            split_aggregate(data)


@given(strategies.matchers())
def test_every_matcher_compiles(matcher: object) -> None:
    compile_matchers([matcher])


@few
@given(strategies.buckets(), strategies.series_requests())
def test_every_request_can_be_answered(plans: list[BlockPlan], request: SeriesRequest) -> None:
    answer = obvious_series([written(plan) for plan in plans], request)
    keys = [labels_key(series.labels) for series in answer]
    assert keys == sorted(keys)
    assert len({tuple(key) for key in keys}) == len(keys)


@few
@given(strategies.buckets(), strategies.label_names_requests(), strategies.label_values_requests())
def test_every_label_request_can_be_answered(
    plans: list[BlockPlan], names: LabelNamesRequest, values: LabelValuesRequest
) -> None:
    blocks = [written(plan) for plan in plans]
    assert "" not in obvious_label_names(blocks, names).values
    assert "" not in obvious_label_values(blocks, values).values


@given(st.binary(min_size=1, max_size=50).flatmap(lambda data: st.tuples(st.just(data), strategies.damaged(data))))
def test_damage_changes_the_bytes(pair: tuple[bytes, bytes]) -> None:
    data, damaged = pair
    assert damaged != data


def test_some_answers_are_not_empty() -> None:
    found = []

    @settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(strategies.buckets(), strategies.series_requests())
    def ask(plans: list[BlockPlan], request: SeriesRequest) -> None:
        found.append(len(obvious_series([written(plan) for plan in plans], request)))

    ask()
    assert sum(found) > 30
