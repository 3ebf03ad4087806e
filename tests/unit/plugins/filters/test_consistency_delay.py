"""The filter consistency-delay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storegate import BlockMeta, FilterContext, PluginContext
from storegate_filters.config import ConsistencyDelayConfig
from storegate_filters.consistency_delay import ConsistencyDelay, make_filter

Make = Callable[..., BlockMeta]
ULID_TIME = 1_790_000_000_000


def dropped(delay: float, meta: BlockMeta, now: int) -> bool:
    found = ConsistencyDelay(delay).select({meta.ulid: meta}, FilterContext(now=now))
    assert set(found.values()) <= {"too-fresh"}
    return meta.ulid in found


def test_a_block_waits_until_it_has_the_age(meta: Make) -> None:
    block = meta(1, upload_time=5_000)
    assert dropped(10.0, block, now=14_999)
    assert not dropped(10.0, block, now=15_000)


def test_without_an_upload_time_the_ulid_tells_the_age(meta: Make) -> None:
    assert dropped(10.0, meta(1), now=ULID_TIME + 9_999)
    assert not dropped(10.0, meta(1), now=ULID_TIME + 10_000)


@pytest.mark.parametrize("source", ["compactor", "compactor.repair", "bucket.repair"])
def test_blocks_that_replace_others_do_not_wait(meta: Make, source: str) -> None:
    assert not dropped(10.0, meta(1, upload_time=0, source=source), now=1)


@pytest.mark.parametrize("source", ["", "sidecar", "receive", "ruler", "bucket.rewrite"])
def test_other_sources_wait(meta: Make, source: str) -> None:
    assert dropped(10.0, meta(1, upload_time=0, source=source), now=1)


def test_a_block_from_the_future_waits_unless_the_delay_is_off(meta: Make) -> None:
    assert dropped(10.0, meta(1, upload_time=100_000), now=1)
    assert not dropped(0.0, meta(1, upload_time=100_000), now=1)


def test_the_configured_delay_is_a_metric(context: PluginContext) -> None:
    make_filter(ConsistencyDelayConfig.model_validate({"delay": "30m"}), context)
    assert context.registry.get_sample_value("thanos_consistency_delay_seconds") == 1800


def test_a_chain_may_hold_it_twice(context: PluginContext) -> None:
    for delay in (1, 2):
        make_filter(ConsistencyDelayConfig(delay=delay), context)
    assert context.registry.get_sample_value("thanos_consistency_delay_seconds") == 2
