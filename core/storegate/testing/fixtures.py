"""Fixtures for pytest: `pytest_plugins = ["storegate.testing.fixtures"]` in `conftest.py`."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from prometheus_client import CollectorRegistry

from storegate.testing.gateway import StartedGateway, started_gateway
from storegate.types import PluginContext


@pytest.fixture
def start_gateway() -> Iterator[Callable[..., StartedGateway]]:
    """`start_gateway(bucket, **settings)`: see `storegate.testing.gateway.started_gateway`."""
    with ExitStack() as stack:
        yield lambda bucket, **settings: stack.enter_context(started_gateway(bucket, **settings))
    gc.unfreeze()


@pytest.fixture
def plugin_context() -> PluginContext:
    """What a factory gets beside its configuration, with a registry of its own."""
    return PluginContext(name="test", log=logging.getLogger("storegate.test"), registry=CollectorRegistry())
