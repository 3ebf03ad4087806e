"""The providers of meta filters."""

from __future__ import annotations

import importlib

import pytest

import storegate_filters
from storegate import MetaFilterProvider, PluginContext

PROVIDERS = list(storegate_filters.storegate_meta_filters())
NEEDED = {"expression": {"keep": "level > 0"}}


def test_hook_storegate_meta_filters_registers_the_default_chain_and_expressions() -> None:
    assert [(provider.name, provider.states) for provider in PROVIDERS] == [
        ("time-partition", ("time-excluded",)),
        ("label-shard", ("label-excluded",)),
        ("consistency-delay", ("too-fresh",)),
        ("ignore-deletion-mark", ("marked-for-deletion",)),
        ("deduplicate", ("duplicate",)),
        ("expression", ("expression-excluded",)),
    ]


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_every_factory_works_with_the_least_settings(provider: MetaFilterProvider, context: PluginContext) -> None:
    module, _, name = provider.factory.partition(":")
    config = provider.config(**NEEDED.get(provider.name, {}))
    meta_filter = getattr(importlib.import_module(module), name)(config, context)
    assert callable(meta_filter.select)
