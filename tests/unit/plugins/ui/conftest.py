"""The pages of a gateway that says what a test tells it to."""

from __future__ import annotations

import pytest
from ui_site import FakeGateway, Site


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def site(gateway: FakeGateway) -> Site:
    return Site(gateway)
