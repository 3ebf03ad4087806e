"""Whole answers over random buckets are those of the obvious engine, however small pages, batches and windows are."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storegate.query.call import Call
from storegate.query.request import LabelMatcher, MatchType, SeriesRequest
from storegate.testing import index_writer, obvious_label_names, obvious_label_values, strategies
from storegate.testing.strategies import BlockPlan

few = settings(max_examples=settings().max_examples // 2, suppress_health_check=list(HealthCheck))

ITEMS = ("Postings", "Series", "ExpandedPostings")
SMALL = {
    "pages.PAGE": 32,
    "pages.FEW_PAGES": 0,
    "lists.SMALL_INDEX": 0,
    "lists.MAX_CACHED_LISTS": 2,
    "stream.FIRST_SERIES": 1,
    "stream.SERIES": 2,
    "stream.CHUNKS": 2,
    "stream.CHUNKS_PER_BLOCK": 1,
    "stream.AHEAD": 2,
    "stream.READ_AHEAD_BYTES": 100,
    "window.WINDOW_BYTES": 150,
    "select.STRETCH": 100,
    "select.STRETCH_ENTRIES": 1,
}
ON_THREADS = {"reader.HANDOVER_SECONDS": -1.0, "reader.INLINE_SECONDS": -1.0}


@st.composite
def tunings(draw, *, lazy=False):
    """(settings, constants), from the defaults to the smallest of everything."""
    query = {
        "series_batch": draw(st.sampled_from((1, 2, 3, 10_000))),
        "series_size": draw(st.sampled_from((1, 40, 65_536))),
        "chunk_size": draw(st.sampled_from((1, 10, 16_000))),
        "lazy_expanded_postings": lazy,
        "max_key_series_ratio": draw(st.sampled_from((0.0, 0.1, 100.0))),
    }
    cache = {"type": "IN-MEMORY", "enabled_items": draw(st.lists(st.sampled_from(ITEMS), unique=True))}
    chosen = {
        "query": query,
        "index_cache": cache,
        "partitioner": {"type": "gap", "config": {"max_gap": draw(st.sampled_from((0, 20, 524_288)))}},
        "index_header": {"sampling": draw(st.sampled_from((1, 2, 32)))},
    }
    constants = {name: value for name, value in SMALL.items() if draw(st.booleans())}
    return chosen, constants | (ON_THREADS if draw(st.booleans()) else {})


@st.composite
def replicas(draw):
    """Blocks of several replicas with the same series, some of them and some of their chunks missing."""
    base = draw(strategies.block_plans(min_series=1))
    plans = []
    for number in range(draw(st.integers(1, 4))):
        series = [
            (labels, tuple(chunk for chunk in chunks if draw(st.integers(0, 3))))
            for labels, chunks in base.series
            if draw(st.integers(0, 3))
        ]
        options = replace(
            base.options,
            external_labels={"replica": draw(st.sampled_from("ab"))},
            seed=number,
            min_time=draw(st.sampled_from((0, 500))),
            index_version=draw(st.sampled_from((2, 2, 1))),
        )
        plans.append(BlockPlan(tuple(series), options))
    return plans


BUCKETS = st.one_of(replicas(), strategies.buckets(max_blocks=4), strategies.buckets(ordered=False))
REQUESTS = st.lists(
    st.one_of(
        strategies.series_requests(),
        strategies.series_requests().map(lambda request: replace(request, without_replica_labels=("replica",))),
    ),
    min_size=1,
    max_size=3,
)


@few
@given(plans=BUCKETS, requests=REQUESTS, tuning=tunings())
def test_series_are_those_of_the_obvious_engine(serve, plans, requests, tuning):
    with serve(plans, *tuning) as served:
        for request in (*requests, *requests):  # again, from the cache
            assert served.series(request) == served.expected(request)


@few
@given(plans=BUCKETS, requests=REQUESTS, tuning=tunings(lazy=True))
def test_postings_that_are_left_to_a_scan_change_no_answer(serve, plans, requests, tuning):
    with serve(plans, *tuning) as served:
        for request in (replace(request, limit=0) for request in (*requests, *requests)):
            assert served.series(request) == served.expected(request)


@few
@given(plans=BUCKETS, request=strategies.series_requests(), tuning=tunings(lazy=True), limit=st.integers(1, 3))
def test_a_limit_gives_no_more_series_and_no_others(serve, plans, request, tuning, limit):
    with serve(plans, *tuning) as served:
        found = [labels for labels, _ in served.series(replace(request, limit=limit))]
        every = [labels for labels, _ in served.expected(replace(request, limit=0))]
        assert len(found) <= limit
        assert [labels for labels in every if labels in found] == found


@few
@given(
    plans=BUCKETS,
    names=strategies.label_names_requests(),
    values=strategies.label_values_requests(),
    tuning=tunings(),
    lazy=st.booleans(),
)
def test_label_calls_are_those_of_the_obvious_engine(serve, plans, names, values, tuning, lazy):
    chosen, constants = tuning
    chosen["query"]["lazy_expanded_postings"] = lazy
    with serve(plans, chosen, constants) as served:
        for _ in range(2):
            found, expected = served.gateway.label_names(names, Call()), obvious_label_names(served.blocks, names)
            assert (found.values, sorted(found.blocks or ())) == (expected.values, sorted(expected.blocks or ()))
            found, expected = served.gateway.label_values(values, Call()), obvious_label_values(served.blocks, values)
            assert (found.values, sorted(found.blocks or ())) == (expected.values, sorted(expected.blocks or ()))


@few
@given(
    plans=BUCKETS,
    tuning=tunings(),
    batch=st.sampled_from((0, 1, 2, 3, 5, 64, 2**31 - 1)),
    skip=st.booleans(),
)
def test_frames_hold_exactly_as_many_series_as_were_asked_for(serve, plans, tuning, batch, skip):
    everything = (LabelMatcher(MatchType.NEQ, "nope", "x"),)
    request = SeriesRequest(
        min_time=-(2**63), max_time=2**63 - 1, matchers=everything, skip_chunks=skip, batch_size=batch
    )
    with serve(plans, *tuning) as served:
        frames, count = served.frames(request), len(served.expected(request))
    if batch < 2:
        assert [frame.WhichOneof("result") for frame in frames] == ["series"] * count
    else:
        sizes = [len(frame.batch.series) for frame in frames]
        assert sizes == [min(batch, count - at) for at in range(0, count, batch)]


@pytest.mark.parametrize("batch", [0, 7])
@pytest.mark.parametrize("constants", [{}, SMALL, SMALL | ON_THREADS], ids=["default", "small", "threads"])
def test_a_larger_block_is_answered_whole(serve, constants, batch):
    import numpy as np

    from storegate.testing import write_block_arrays

    class Plan:
        def write(self, folder):
            labels = [{"__name__": f"m{i % 5}", "pod": f"p-{i:03}"} for i in range(300)]
            times = np.arange(0, 500 * 1000, 1000)
            return write_block_arrays(folder, labels, times, np.arange(300)[:, None] + times[None, :] % 7)

    pods = LabelMatcher(MatchType.RE, "pod", "p-.*[05]|p-1.*")
    request = SeriesRequest(min_time=100_000, max_time=400_000, matchers=(pods,), batch_size=batch)
    with serve([Plan()], {"query": {"chunk_size": 60, "series_size": 20}}, constants) as served:
        assert served.series(request) == served.expected(request)


@few
@given(
    plan=strategies.block_plans(min_series=1, max_series=5), seed=st.randoms(), request_=strategies.series_requests()
)
def test_symbols_of_version_1_may_lie_in_any_order(serve, plan, seed, request_):
    def shuffled(texts):
        ordered = sorted(texts)
        if isinstance(texts, set):  # of symbols; postings stay as they must be
            seed.shuffle(ordered)
        return ordered

    plan = BlockPlan(plan.series, replace(plan.options, index_version=1))
    with patch.object(index_writer, "sorted", shuffled, create=True), serve([plan]) as served:
        everything = replace(request_, matchers=(LabelMatcher(MatchType.NEQ, "nope", "x"),))
        for request in (request_, everything):
            assert served.series(request) == served.expected(request)
