from __future__ import annotations

from typing import Any

import pytest

from storegate.config.settings import Settings
from storegate.config.validation import check
from storegate.errors import ConfigurationError

STORE = {"object_store": {"type": "FILESYSTEM", "config": {"directory": "/blocks"}}}


def settings(**more: Any) -> Settings:
    return check(Settings, STORE | more, source="storegate.yml")


def failure(document: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check(Settings, document, source="storegate.yml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestDefaults:
    def test_sync_is_recursive_every_three_minutes(self) -> None:
        assert (settings().sync.interval, settings().sync.strategy) == (180.0, "recursive")

    def test_the_filter_chain_is_that_of_the_reference(self) -> None:
        assert [ref.type for ref in settings().meta_filters] == [
            "time-partition",
            "label-shard",
            "consistency-delay",
            "ignore-deletion-mark",
            "deduplicate",
        ]

    def test_front_ends_are_grpc_and_http(self) -> None:
        assert [ref.type for ref in settings().frontends] == ["grpc", "http", "ui"]

    def test_the_index_cache_is_in_memory(self) -> None:
        assert (settings().index_cache.type, settings().index_cache.config) == ("IN-MEMORY", {"max_size": "250MB"})

    def test_all_of_time_is_served(self) -> None:
        assert settings().time.resolve(0) == (-62_167_219_200_000, 253_402_300_799_000)

    def test_settings_are_frozen(self) -> None:
        with pytest.raises(ValueError, match="frozen"):
            settings().data_dir = "/elsewhere"  # type: ignore[misc, assignment]


class TestUnits:
    def test_durations_and_sizes_are_given_as_text(self) -> None:
        made = settings(sync={"interval": "1m30s"}, limits={"bytes": "1GB"}, query={"chunk_pool": 0})
        assert (made.sync.interval, made.limits.bytes, made.query.chunk_pool) == (90.0, 1 << 30, 0)

    def test_slashes_of_the_prefix_are_trimmed(self) -> None:
        made = settings(object_store={"type": "S3", "config": None, "prefix": "//a/b/"})
        assert (made.object_store.prefix, made.object_store.config) == ("a/b", {})


class TestTime:
    def test_time_reaches_the_time_partition_filter(self) -> None:
        made = settings(time={"min_time": "-6w"})
        assert made.meta_filters[0].config == {"min_time": "-6w", "max_time": "9999-12-31T23:59:59Z"}

    def test_a_filter_with_its_own_range_keeps_it(self) -> None:
        made = settings(
            time={"min_time": "-6w"}, meta_filters=[{"type": "Time-Partition", "config": {"min_time": "-8w"}}]
        )
        assert made.meta_filters[0].config["min_time"] == "-8w"

    def test_a_range_that_ends_before_it_begins_is_refused(self) -> None:
        assert "time: min_time -1h is after max_time -2h" in failure(
            STORE | {"time": {"min_time": "-1h", "max_time": "-2h"}}
        )


class TestErrors:
    @pytest.mark.parametrize(
        ("document", "said"),
        [
            (None, "storegate.yml: is empty"),
            ([], "storegate.yml: must be a mapping of keys to values, not list"),
            ({}, "storegate.yml: object_store: required, but not given"),
            (STORE | {"meta_filter": []}, "meta_filter: unknown key, did you mean 'meta_filters'?"),
            (STORE | {"sync": {"intervall": "3m"}}, "sync.intervall: unknown key, did you mean 'interval'?"),
            (STORE | {"sync": {"interval": 0}}, "sync.interval: input should be greater than 0"),
            (STORE | {"sync": {"interval": "fast"}}, "sync.interval: 'fast' is not a duration"),
            (STORE | {"plugins": {"zzz": 1}}, "plugins.zzz: unknown key (known: disable, allow, safe_mode)"),
            (
                STORE | {"meta_filters": [{"type": "a"}, {"type": "b", "confg": {}}]},
                "meta_filters[1].confg: unknown key, did you mean 'config'?",
            ),
            (STORE | {"index_cache": {"type": "X", "ttl": []}}, "index_cache.ttl: must be a duration such as 30s"),
            (
                STORE | {"index_cache": {"type": "X", "enabled_items": ["Chunks"]}},
                "index_cache.enabled_items[0]: input should be 'Postings', 'Series' or 'ExpandedPostings'",
            ),
            (STORE | {"caching_bucket": {"type": "X", "chunk_ttl": 1}}, "caching_bucket.chunk_ttl: unknown key"),
            ({"object_store": {"type": ""}}, "object_store.type: string should have at least 1 character"),
            (
                {"object_store": {"type": "S3", "hedging_config": {"quantil": 1}}},
                "object_store.hedging_config.quantil: unknown key, did you mean 'quantile'?",
            ),
        ],
    )
    def test_each_names_the_path_and_what_is_wrong(self, document: object, said: str) -> None:
        assert said in failure(document)

    def test_all_problems_are_told_at_once(self) -> None:
        text = failure({"object_store": {"type": "x"}, "sync": {"a": 1, "interval": "x"}, "b": 1})
        assert text.count(";") == 2

    def test_values_are_not_quoted(self) -> None:
        assert "hunter2" not in failure({"object_store": {"type": "S3", "prefix": ["hunter2"], "secret": "hunter2"}})
