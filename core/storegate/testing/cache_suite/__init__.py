"""One acceptance suite for all caches, as a class of tests to inherit.

    class TestAcme(CacheSuite):
        @pytest.fixture
        def open_cache(self, acme_server):
            return lambda: open_acme(acme_server.address)

`open_cache` gives a function that opens a cache over one and the same back end, each time; every test opens and closes
its own, and uses keys that no other test uses. A cache with a clock of its own for tests overrides `elapse`.
"""

from __future__ import annotations

import pytest

for _name in ("fixtures", "values", "guard"):  # asserts explain themselves, as in a test module
    pytest.register_assert_rewrite(f"{__name__}.{_name}")

from storegate.testing.cache_suite.guard import GuardTests  # noqa: E402
from storegate.testing.cache_suite.values import ValueTests  # noqa: E402

__all__ = ["CacheSuite"]


class CacheSuite(ValueTests, GuardTests):
    """What every cache must do, by itself and as storegate calls it."""
