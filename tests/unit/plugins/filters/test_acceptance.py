"""The built-in meta filters pass what every meta filter must."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import storegate_filters
from storegate import MetaFilter, PluginContext
from storegate.testing.meta_filter_suite import MetaFilterSuite, corpus_marks, corpus_metas

METAS = corpus_metas()
PROVIDERS = {provider.name: provider for provider in storegate_filters.storegate_meta_filters()}


def make(name: str, context: PluginContext, **config: Any) -> MetaFilter:
    module, _, function = PROVIDERS[name].factory.partition(":")
    made: MetaFilter = getattr(importlib.import_module(module), function)(
        PROVIDERS[name].config.model_validate(config), context
    )
    return made


class TestTimePartition(MetaFilterSuite):
    states = PROVIDERS["time-partition"].states

    @pytest.fixture
    def meta_filter(self, context: PluginContext) -> MetaFilter:
        return make("time-partition", context, max_time="2023-12-15T00:00:00Z")


class TestLabelShard(MetaFilterSuite):
    states = PROVIDERS["label-shard"].states

    @pytest.fixture
    def meta_filter(self, context: PluginContext) -> MetaFilter:
        rule = {"action": "keep", "source_labels": ["region"], "regex": "eu"}
        return make("label-shard", context, rules=[rule])


class TestConsistencyDelay(MetaFilterSuite):
    states = PROVIDERS["consistency-delay"].states

    @pytest.fixture
    def meta_filter(self, context: PluginContext) -> MetaFilter:
        return make("consistency-delay", context, delay="1d")


class TestIgnoreDeletionMark(MetaFilterSuite):
    states = PROVIDERS["ignore-deletion-mark"].states

    @pytest.fixture
    def meta_filter(self, context: PluginContext) -> MetaFilter:
        return make("ignore-deletion-mark", context, delay="1h")


class TestDeduplicate(MetaFilterSuite):
    states = PROVIDERS["deduplicate"].states

    @pytest.fixture
    def meta_filter(self, context: PluginContext) -> MetaFilter:
        return make("deduplicate", context)


class TestExpression(MetaFilterSuite):
    states = PROVIDERS["expression"].states

    @pytest.fixture
    def meta_filter(self, context: PluginContext) -> MetaFilter:
        return make("expression", context, keep='level >= 2 or age < 14d or labels.region =~ "e.*"')


def test_every_built_in_filter_is_tested_here() -> None:
    named = {suite.states for suite in MetaFilterSuite.__subclasses__() if suite.__module__ == __name__}
    assert named == {provider.states for provider in PROVIDERS.values()}


def test_the_corpus_has_marks_of_its_blocks() -> None:
    assert corpus_marks()
    assert set(corpus_marks()) <= set(METAS)
