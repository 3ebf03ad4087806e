"""One acceptance suite for all object stores, as classes of tests to inherit.

    @pytest.fixture(scope="module")
    def store(acme_server):
        return open_acme(acme_server.new_bucket())

    class TestAcme(ObjectStoreSuite):
        pass

`store` (of the class, the module or the session) is an open, writable store over an empty bucket that the suite has for
itself; it leaves its objects behind. For a store that cannot write inherit `ObjectStoreReadSuite`, and give the fixture
`writer` as well, in the class: a store that can write into the same bucket.
"""

from __future__ import annotations

import pytest

for _name in ("fixtures", "reads", "lists", "writes"):  # asserts explain themselves, as in a test module
    pytest.register_assert_rewrite(f"{__name__}.{_name}")

from storegate.testing.object_store_suite.lists import ListTests  # noqa: E402
from storegate.testing.object_store_suite.reads import ReadTests  # noqa: E402
from storegate.testing.object_store_suite.writes import WriteTests  # noqa: E402

__all__ = ["ObjectStoreReadSuite", "ObjectStoreSuite"]


class ObjectStoreReadSuite(ReadTests, ListTests):
    """What every object store must do."""


class ObjectStoreSuite(ObjectStoreReadSuite, WriteTests):
    """What every object store that can write must do."""
