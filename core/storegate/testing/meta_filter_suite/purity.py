"""A filter is pure: the same question has the same answer, and asking changes nothing."""

from __future__ import annotations

import copy
import time
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import pytest
from hypothesis import given

from storegate.testing.meta_filter_suite.answers import FEW, MOMENTS, NEWEST
from storegate.testing.meta_filter_suite.corpus import TIMES, block_metas, corpus_marks, corpus_metas
from storegate.types import BlockMeta, FilterContext, MetaFilter

LATER = 10**9  # s


class PurityTests:
    """Tests of one filter that answers many questions."""

    @pytest.mark.parametrize("now", MOMENTS)
    def test_the_same_question_has_the_same_answer(self, meta_filter: MetaFilter, now: int) -> None:
        context = FilterContext(now=now, marks=corpus_marks())
        first = dict(meta_filter.select(corpus_metas(), context))
        meta_filter.select({}, FilterContext(now=0))  # another question in between
        assert dict(meta_filter.select(corpus_metas(), context)) == first

    @FEW
    @given(metas=block_metas(), now=TIMES)
    def test_the_order_of_blocks_does_not_matter(
        self, meta_filter: MetaFilter, metas: dict[str, BlockMeta], now: int
    ) -> None:
        backwards = dict(reversed(metas.items()))
        context = FilterContext(now=now)
        assert dict(meta_filter.select(metas, context)) == dict(meta_filter.select(backwards, context))

    def test_metas_and_marks_are_not_changed(self, meta_filter: MetaFilter) -> None:
        metas, marks = corpus_metas(), corpus_marks()
        before = copy.deepcopy((metas, marks))
        meta_filter.select(metas, FilterContext(now=NEWEST, marks=marks))
        assert (metas, marks) == before

    def test_a_read_only_view_of_the_metas_is_enough(self, meta_filter: MetaFilter) -> None:
        meta_filter.select(MappingProxyType(corpus_metas()), FilterContext(now=NEWEST, marks=corpus_marks()))

    def test_the_time_is_that_of_the_context_and_not_of_a_clock(
        self, meta_filter: MetaFilter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        context = FilterContext(now=NEWEST, marks=corpus_marks())
        before = dict(meta_filter.select(corpus_metas(), context))
        then = time.time() + LATER
        monkeypatch.setattr(time, "time", lambda: then)
        monkeypatch.setattr(time, "time_ns", lambda: int(then * 1e9))
        assert dict(meta_filter.select(corpus_metas(), context)) == before

    def test_threads_may_ask_at_once(self, meta_filter: MetaFilter) -> None:
        contexts = [FilterContext(now=now, marks=corpus_marks()) for now in MOMENTS] * 8
        alone = [dict(meta_filter.select(corpus_metas(), context)) for context in contexts]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda context: dict(meta_filter.select(corpus_metas(), context)), contexts))
        assert together == alone
