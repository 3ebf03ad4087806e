"""What an answer must look like."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storegate.testing.meta_filter_suite.corpus import TIMES, block_metas, corpus_marks, corpus_metas
from storegate.types import BlockMeta, DeletionMark, FilterContext, MetaFilter

NEWEST = max(meta.max_time for meta in corpus_metas().values())
HOUR, YEAR = 3_600_000, 365 * 86_400_000
MOMENTS = (NEWEST - YEAR, NEWEST, NEWEST + HOUR, NEWEST + 100 * YEAR)
FEW = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))


class AnswerTests:
    """Subclasses may change the attributes below."""

    states: tuple[str, ...] = ()
    """The states that the filter can give, as its provider lists them; when empty any is taken."""

    @pytest.mark.parametrize("now", MOMENTS)
    def test_an_answer_gives_each_block_to_drop_a_state(self, meta_filter: MetaFilter, now: int) -> None:
        dropped = meta_filter.select(corpus_metas(), FilterContext(now=now, marks=corpus_marks()))
        self._check(dropped, corpus_metas())

    def test_without_blocks_nothing_is_dropped(self, meta_filter: MetaFilter) -> None:
        assert dict(meta_filter.select({}, FilterContext(now=NEWEST))) == {}

    def test_marks_of_blocks_that_are_not_there_do_no_harm(self, meta_filter: MetaFilter) -> None:
        assert dict(meta_filter.select({}, FilterContext(now=NEWEST, marks=corpus_marks()))) == {}

    @FEW
    @given(metas=block_metas(), now=TIMES, data=st.data())
    def test_random_blocks_are_no_reason_to_fail(
        self, meta_filter: MetaFilter, metas: dict[str, BlockMeta], now: int, data: st.DataObject
    ) -> None:
        marked = data.draw(st.lists(st.sampled_from(sorted(metas)), unique=True)) if metas else []
        marks = {ulid: DeletionMark(ulid=ulid, deletion_time=data.draw(TIMES)) for ulid in marked}
        self._check(meta_filter.select(metas, FilterContext(now=now, marks=marks)), metas)

    def _check(self, dropped: dict[str, str], metas: dict[str, BlockMeta]) -> None:
        assert set(dropped) <= set(metas), "only blocks that were shown can be dropped"
        assert all(isinstance(state, str) and state for state in dropped.values()), "a state is a word"
        if self.states:
            assert set(dropped.values()) <= set(self.states), "the provider must list every state"
