"""The filter time-partition."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from storegate import BlockMeta, FilterContext, PluginContext
from storegate_filters.config import TimePartitionConfig
from storegate_filters.time_partition import TimePartition, make_filter

Make = Callable[..., BlockMeta]
HOUR = 3_600_000


def dropped(meta_filter: TimePartition, meta: BlockMeta, now: int = 0) -> bool:
    found = meta_filter.select({meta.ulid: meta}, FilterContext(now=now))
    assert set(found.values()) <= {"time-excluded"}
    return meta.ulid in found


@pytest.mark.parametrize(
    ("min_time", "max_time", "is_dropped"),
    [
        (0, 999, True),  # ends before
        (0, 1000, False),  # touches the beginning: an exclusive end still counts
        (1500, 1600, False),
        (2000, 3000, False),  # touches the end
        (2001, 3000, True),
        (0, 9000, False),  # covers all
    ],
)
def test_a_block_stays_when_it_touches_the_range(meta: Make, min_time: int, max_time: int, is_dropped: bool) -> None:
    meta_filter = TimePartition("1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z")
    assert dropped(meta_filter, meta(1, min_time=min_time, max_time=max_time)) is is_dropped


def test_relative_times_move_with_the_sync(meta: Make) -> None:
    meta_filter = TimePartition("-2h", "-1h")
    block = meta(1, min_time=10 * HOUR, max_time=11 * HOUR)
    assert [dropped(meta_filter, block, now=now * HOUR) for now in (10, 11, 13, 14)] == [True, False, False, True]


def test_without_settings_every_block_stays(meta: Make, context: PluginContext) -> None:
    meta_filter = make_filter(TimePartitionConfig(), context)
    assert not dropped(meta_filter, meta(1, min_time=-(10**13), max_time=-(10**13)))
    assert not dropped(meta_filter, meta(1, min_time=2 * 10**14, max_time=2 * 10**14))


@pytest.mark.parametrize("config", [{"min_time": "yesterday"}, {"max_time": 5}, {"since": "-1h"}])
def test_wrong_settings_are_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TimePartitionConfig.model_validate(config)
