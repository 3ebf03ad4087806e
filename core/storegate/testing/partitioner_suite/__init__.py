"""One acceptance suite for all partitioners, as a class of tests to inherit.

    class TestAcme(PartitionerSuite):
        @pytest.fixture
        def partitioner(self):
            return make_partitioner(AcmeConfig(), context)

The tests are properties over random ranges. `max_gap` (bytes) may say over which gaps no read ever reaches.
"""

from __future__ import annotations

import pytest

for _name in ("ranges", "properties"):  # asserts explain themselves, as in a test module
    pytest.register_assert_rewrite(f"{__name__}.{_name}")

from storegate.testing.partitioner_suite.properties import PartitionTests  # noqa: E402

__all__ = ["PartitionerSuite"]


class PartitionerSuite(PartitionTests):
    """What every partitioner must do."""
