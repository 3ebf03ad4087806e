"""The built-in partitioners pass what every partitioner must."""

from __future__ import annotations

import importlib
import logging
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

import storegate_partitioners
from storegate import Partitioner, PluginContext
from storegate.testing.partitioner_suite import PartitionerSuite

PROVIDERS = {provider.name: provider for provider in storegate_partitioners.storegate_partitioners()}


def make(name: str, **config: Any) -> Partitioner:
    module, _, function = PROVIDERS[name].factory.partition(":")
    context = PluginContext(name=name, log=logging.getLogger(), registry=CollectorRegistry())
    made: Partitioner = getattr(importlib.import_module(module), function)(
        PROVIDERS[name].config.model_validate(config), context
    )
    return made


class TestGap(PartitionerSuite):
    max_gap = 10_000

    @pytest.fixture
    def partitioner(self) -> Partitioner:
        return make("gap", max_gap=10_000)


class TestCost(PartitionerSuite):
    @pytest.fixture
    def partitioner(self) -> Partitioner:
        return make("cost")


def test_every_built_in_partitioner_is_tested_here() -> None:
    assert set(PROVIDERS) == {"gap", "cost"}
