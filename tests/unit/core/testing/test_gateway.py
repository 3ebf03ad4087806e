"""The started gateway of the kit, and what plugins cost as it counts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from storegate.block.chain import FilterError
from storegate.errors import ConfigurationError
from storegate.query.request import LabelMatcher, MatchType
from storegate.testing import write_block
from storegate.testing.fixtures import plugin_context, start_gateway
from storegate.testing.gateway import HTTP, StartedGateway

__all__ = ["plugin_context", "start_gateway"]

Start = Callable[..., StartedGateway]
UP = (("__name__", "up"), ("job", "a"))


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    folder = tmp_path / "bucket"
    folder.mkdir()
    write_block(folder, [(dict(UP), [(1000, 1.0), (2000, 2.5)]), ({"__name__": "down"}, [(1500, 0.0)])])
    return folder


def test_it_answers_with_samples(start_gateway: Start, bucket: Path) -> None:
    assert start_gateway(bucket).samples(__name__="up") == {UP: [(1000, 1.0), (2000, 2.5)]}


def test_it_answers_with_label_sets(start_gateway: Start, bucket: Path) -> None:
    served = start_gateway(bucket)
    assert served.series(LabelMatcher(MatchType.RE, "__name__", ".+"))[1] == UP
    assert served.label_values("__name__") == ["down", "up"]


def test_it_says_what_became_of_blocks(start_gateway: Start, bucket: Path) -> None:
    served = start_gateway(bucket, meta_filters=[])
    assert [status.state for status in served.blocks()] == ["loaded"]


def test_wrong_settings_are_refused(start_gateway: Start, bucket: Path) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'partitioner'"):
        start_gateway(bucket, partitoner={"type": "gap"})


def test_the_api_shows_plugins_and_pipeline(start_gateway: Start, bucket: Path) -> None:
    served = start_gateway(bucket, frontends=[HTTP])
    data = served.get_json("/api/v1/plugins")["data"]
    assert data == served.gateway.plugin_report()
    assert {entry["place"]: entry["provider"] for entry in data["pipeline"]}["object_store"] == "FILESYSTEM"


class TestBlame:
    """Calls are counted by provider, and who fails is named."""

    def test_every_kind_is_counted(self, start_gateway: Start, bucket: Path, install: Callable[..., None]) -> None:
        install("observing")
        seeing = [{"type": "seeing"}]
        served = start_gateway(bucket, meta_filters=seeing, observers=seeing, index_cache={"type": "seeing"})
        served.samples(__name__="up")
        called = {
            (kind, provider)
            for kind, provider in [
                ("object_store", "FILESYSTEM"),
                ("cache", "SEEING"),
                ("meta_filter", "seeing"),
                ("observer", "seeing"),
                ("partitioner", "gap"),
            ]
            if (served.metric("storegate_plugin_calls_total", kind=kind, provider=provider) or 0) > 0
            and (served.metric("storegate_plugin_seconds_total", kind=kind, provider=provider) or 0) > 0
            and served.metric("storegate_plugin_errors_total", kind=kind, provider=provider) == 0
        }
        assert len(called) == 5

    def test_an_operation_of_the_store_is_one_call(self, start_gateway: Start, bucket: Path) -> None:
        served = start_gateway(bucket)
        operations: Any = served.gateway.registry.collect()
        counted = sum(
            sample.value
            for family in operations
            for sample in family.samples
            if sample.name == "thanos_objstore_bucket_operations_total"
        )
        labels = {"kind": "object_store", "provider": "FILESYSTEM"}
        assert served.metric("storegate_plugin_calls_total", **labels) == counted

    def test_a_raising_observer_is_named_and_counted_and_harms_nothing(
        self, start_gateway: Start, bucket: Path, install: Callable[..., None]
    ) -> None:
        install("observing")
        with capture_logs() as logs:
            served = start_gateway(bucket, observers=[{"type": "seeing", "config": {"fail": True}}])
            assert served.samples(__name__="up")
        blamed = {entry["origin"] for entry in logs if entry["event"] == "an observer failed"}
        assert blamed == {"seeing of storegate-observing 1.0"}
        errors = served.metric("storegate_plugin_errors_total", kind="observer", provider="seeing")
        assert errors == 2  # block_loaded, query_finished

    def test_a_raising_filter_is_named_and_no_block_comes_or_goes(
        self, start_gateway: Start, bucket: Path, install: Callable[..., None]
    ) -> None:
        install("observing")
        served = start_gateway(bucket, meta_filters=[{"type": "seeing"}])
        part = served.gateway._syncer._fetcher._chain._filters[0][1]._filter  # type: ignore[attr-defined]
        part._fail = True
        with pytest.raises(FilterError, match=r"'seeing' \(seeing of storegate-observing 1\.0\) failed"):
            served.gateway._syncer.sync_once()
        assert served.samples(__name__="up")
        assert served.metric("storegate_plugin_errors_total", kind="meta_filter", provider="seeing") == 1

    def test_safe_mode_runs_without_what_is_foreign(
        self, start_gateway: Start, bucket: Path, install: Callable[..., None]
    ) -> None:
        install("observing")
        with capture_logs() as logs:
            served = start_gateway(
                bucket,
                observers=[{"type": "seeing", "config": {"fail": True}}],
                index_cache={"type": "SEEING"},
                plugins={"safe_mode": True},
            )
            assert served.samples(__name__="up")
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == []
        warned = [entry["event"] for entry in logs if "safe mode" in entry["event"]]
        assert len(warned) == 2
