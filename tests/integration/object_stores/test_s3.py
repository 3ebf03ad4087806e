"""The store S3 against moto, a real server over a real connection."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from servers.s3 import PAGE, S3Server

from storegate.config.settings import ObjectStoreRef
from storegate.objstore.opening import wrapped
from storegate.testing.object_store_suite import ObjectStoreSuite
from storegate.testing.object_store_suite.lists import ListTests
from storegate.types import ObjectStore
from storegate_s3.store import S3Store


@pytest.fixture(scope="module")
def store(s3_server: S3Server, open_s3: Any) -> S3Store:
    return open_s3(**s3_server.config(s3_server.new_bucket()))


def as_in_a_gateway(store: S3Store) -> ObjectStore:
    return wrapped(store, ObjectStoreRef(type="S3"), CollectorRegistry())


class TestS3(ObjectStoreSuite):
    """The acceptance suite."""

    many = 2 * PAGE + 5

    def test_one_of_several_puts_at_once_wins_whole(self, store: S3Store, folder: str) -> None:
        """moto answers 500 to some of several puts of one object, so they are tried again as a gateway does."""
        super().test_one_of_several_puts_at_once_wins_whole(as_in_a_gateway(store), folder)


class TestTheOldListing(ListTests):
    """Version 1 of the listing call."""

    many = 2 * PAGE + 5
    odd_names = tuple(name for name in ListTests.odd_names if not {"%", "+"} & set(name))  # moto does not encode them

    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, s3_server: S3Server, open_s3: Any) -> S3Store:
        return open_s3(**s3_server.config(s3_server.new_bucket(), list_objects_version="v1"))
