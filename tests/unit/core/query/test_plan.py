"""Which blocks take part in a request, and what is left of its matchers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from storegate.block.catalog import Selection
from storegate.errors import UnavailableError
from storegate.query.plan import block_filter, held, left_over

EU = (("region", "eu"),)


def texts(found: Any) -> list[str]:
    return [str(matcher) for matcher in found]


class FakeBlock:
    """A block that is open, or was dropped."""

    def __init__(self, ulid: str = "B1", labels: Any = EU, *, dropped: bool = False) -> None:
        self.meta = SimpleNamespace(ulid=ulid)
        self.labels = labels
        self.holders = 0
        self.dropped = dropped

    def acquire(self) -> bool:
        self.holders += not self.dropped
        return not self.dropped

    def release(self) -> None:
        self.holders -= 1


def selecting(*blocks: Any, matched: Any = ()) -> Any:
    return lambda snapshot: [Selection(EU, matched, blocks)]


def hold(select: Any, snapshot: Any = lambda: None) -> Any:
    """`held` with stand-ins for blocks and snapshots."""
    return held(snapshot, select)


# --- external labels ---


def test_a_matcher_on_another_label_is_left_to_the_block(compiled: Any) -> None:
    assert texts(left_over(compiled("job=a"), EU)) == ['job="a"']


def test_a_matcher_that_external_labels_satisfy_is_dropped(compiled: Any) -> None:
    assert left_over(compiled("region=eu"), EU) == ()


def test_a_matcher_that_external_labels_fail_refuses_the_set(compiled: Any) -> None:
    assert left_over(compiled("job=a", "region=us"), EU) is None


@pytest.mark.parametrize("text", ["region!=us", "region=~e.", "region!~us|ap", "region!="])
def test_other_matchers_are_settled_by_external_labels_too(compiled: Any, text: str) -> None:
    assert left_over(compiled(text), EU) == ()


@pytest.mark.parametrize("text", ["region!=eu", "region=~u.", "region!~e.", "region="])
def test_other_matchers_refuse_the_set_too(compiled: Any, text: str) -> None:
    assert left_over(compiled(text), EU) is None


def test_an_empty_matcher_on_an_absent_external_label_is_the_blocks_business(compiled: Any) -> None:
    assert texts(left_over(compiled("zone="), EU)) == ['zone=""']


def test_matchers_that_are_left_keep_their_order(compiled: Any) -> None:
    assert texts(left_over(compiled("z=1", "region=eu", "a=2"), EU)) == ['z="1"', 'a="2"']


def test_without_matchers_nothing_is_left(compiled: Any) -> None:
    assert left_over((), EU) == ()


# --- block matchers ---


def test_hints_choose_a_block_by_its_id(compiled: Any) -> None:
    passes: Any = block_filter(compiled("__block_id=B1"))
    assert [passes(FakeBlock("B1")), passes(FakeBlock("B2"))] == [True, False]


def test_hints_choose_blocks_by_external_labels(compiled: Any) -> None:
    passes: Any = block_filter(compiled("region=~e.*"))
    assert [passes(FakeBlock(labels=EU)), passes(FakeBlock(labels=(("region", "us"),)))] == [True, False]


def test_an_absent_external_label_counts_as_empty_for_hints(compiled: Any) -> None:
    passes: Any = block_filter(compiled("zone="))
    assert passes(FakeBlock())


def test_all_hints_must_match(compiled: Any) -> None:
    passes: Any = block_filter(compiled("__block_id=B1", "region=us"))
    assert not passes(FakeBlock("B1"))


def test_without_hints_every_block_passes() -> None:
    passes: Any = block_filter(())
    assert passes(FakeBlock())


# --- holding blocks ---


def test_chosen_blocks_are_held_to_the_end() -> None:
    block: Any = FakeBlock()
    with hold(selecting(block)):
        assert block.holders == 1
    assert block.holders == 0


def test_blocks_are_let_go_after_an_error() -> None:
    block: Any = FakeBlock()
    with pytest.raises(ZeroDivisionError), hold(selecting(block)):
        raise ZeroDivisionError
    assert block.holders == 0


def test_blocks_are_selected_anew_when_one_was_dropped_meanwhile() -> None:
    gone, kept, late = FakeBlock("B1", dropped=True), FakeBlock("B2"), FakeBlock("B3")
    snapshots: Any = iter([(kept, gone), (kept, late)])
    with hold(lambda snapshot: [Selection(EU, (), snapshot)], lambda: next(snapshots)) as plans:
        assert [plan.block.meta.ulid for plan in plans] == ["B2", "B3"]
        assert (kept.holders, late.holders) == (1, 1)


def test_blocks_that_keep_changing_end_the_query() -> None:
    kept, gone = FakeBlock("B1"), FakeBlock("B2", dropped=True)
    with pytest.raises(UnavailableError, match="kept changing"), hold(selecting(kept, gone)):
        pass
    assert kept.holders == 0


def test_every_block_of_a_set_gets_what_is_left_of_the_matchers(compiled: Any) -> None:
    left = compiled("job=a")
    with hold(selecting(FakeBlock("B1"), FakeBlock("B2"), matched=left)) as plans:
        assert [plan.matchers for plan in plans] == [left, left]


def test_the_order_of_matchers_does_not_change_their_digest(compiled: Any) -> None:
    digests = []
    for left in (compiled("a=1", "b=2"), compiled("b=2", "a=1")):
        with hold(selecting(FakeBlock(), matched=left)) as plans:
            digests += [plan.digest for plan in plans]
    assert digests[0] == digests[1]


def test_sets_with_different_matchers_left_have_different_digests(compiled: Any) -> None:
    one, two = compiled("a=1"), compiled("a=1", "b=2")
    chosen: Any = [Selection(EU, one, (FakeBlock("B1"),)), Selection((), two, (FakeBlock("B2"),))]
    with hold(lambda snapshot: chosen) as plans:
        assert plans[0].digest != plans[1].digest
