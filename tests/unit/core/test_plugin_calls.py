"""Calls, seconds and errors by provider."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from storegate.plugin_calls import plugin_calls


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def sample(registry: CollectorRegistry, what: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"storegate_plugin_{what}_total", labels)


def test_a_call_is_counted_with_its_time(registry: CollectorRegistry) -> None:
    meter = plugin_calls(registry).meter("observer", "acme")
    with meter.measured():
        pass
    assert sample(registry, "calls", kind="observer", provider="acme") == 1
    assert 0 < (sample(registry, "seconds", kind="observer", provider="acme") or 0) < 1
    assert sample(registry, "errors", kind="observer", provider="acme") == 0


def test_a_call_that_raises_is_an_error_and_raises(registry: CollectorRegistry) -> None:
    meter = plugin_calls(registry).meter("observer", "acme")
    with pytest.raises(ZeroDivisionError), meter.measured():
        raise ZeroDivisionError
    assert sample(registry, "errors", kind="observer", provider="acme") == 1


def test_instances_of_one_provider_are_added_up(registry: CollectorRegistry) -> None:
    calls = plugin_calls(registry)
    meters = [calls.meter("cache", "ACME") for _ in range(2)]
    for meter in meters:
        meter.add(0.5, failed=False)
    assert sample(registry, "calls", kind="cache", provider="ACME") == 2
    assert sample(registry, "seconds", kind="cache", provider="ACME") == 1.0


def test_a_registry_has_one(registry: CollectorRegistry) -> None:
    assert plugin_calls(registry) is plugin_calls(registry)


def test_a_provider_that_was_never_called_is_there_with_zero(registry: CollectorRegistry) -> None:
    plugin_calls(registry).meter("partitioner", "gap")
    assert sample(registry, "calls", kind="partitioner", provider="gap") == 0


def test_names_are_known_before_there_is_a_provider(registry: CollectorRegistry) -> None:
    described: Any = plugin_calls(registry).describe()
    assert [family.name for family in described] == [
        "storegate_plugin_calls",
        "storegate_plugin_seconds",
        "storegate_plugin_errors",
    ]
