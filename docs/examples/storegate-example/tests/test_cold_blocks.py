from __future__ import annotations

import time

import pytest
from storegate_example.cold_blocks import ColdBlocks

from storegate.testing import write_block
from storegate.testing.meta_filter_suite import MetaFilterSuite


class TestColdBlocks(MetaFilterSuite):
    states = ("too-young",)

    @pytest.fixture
    def meta_filter(self):
        return ColdBlocks(older_than=3600.0)


def test_only_old_blocks_are_served(tmp_path, start_gateway):
    now = time.time_ns() // 1_000_000
    day = 86_400_000
    write_block(tmp_path, [({"__name__": "up", "age": "old"}, [(now - 3 * day, 1.0)])])
    write_block(tmp_path, [({"__name__": "up", "age": "young"}, [(now - 1000, 1.0)])])
    served = start_gateway(tmp_path, meta_filters=[{"type": "example-cold-blocks", "config": {"older_than": "1d"}}])
    assert served.label_values("age") == ["old"]
    assert served.samples(__name__="up") == {(("__name__", "up"), ("age", "old")): [(now - 3 * day, 1.0)]}
