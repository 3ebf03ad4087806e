from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storegate.config.flag_kinds import PARSERS
from storegate.config.flag_table import FLAGS, PAIRS
from storegate.config.flags import configure, flag_names
from storegate.config.settings import ComponentRef, Settings
from storegate.errors import ConfigurationError

STORE = "type: FILESYSTEM\nconfig: {directory: /blocks}\n"


def settings(**flags: Any) -> Settings:
    """Settings from flags, whose dots and dashes are written `__` and `_`."""
    given = {name.replace("__", ".").replace("_", "-"): value for name, value in flags.items()}
    return configure({"objstore.config": STORE} | given, {}).settings


def config_of(refs: tuple[ComponentRef, ...], name: str) -> dict[str, Any]:
    return next(ref.config for ref in refs if ref.type == name)


class TestTable:
    def test_no_name_is_used_twice(self) -> None:
        names = list(flag_names())
        assert len(names) == len(set(names))

    def test_every_flag_has_an_effect_or_says_why_not(self) -> None:
        for flag in FLAGS:
            assert flag.name == "config" or bool(flag.targets) != bool(flag.ignored), flag.name
        for pair in PAIRS:
            assert pair.target or pair.ignored, pair.name

    def test_every_kind_has_a_parser(self) -> None:
        assert {flag.kind for flag in FLAGS} <= set(PARSERS) | {"bool", "choice"}

    def test_stated_defaults_are_those_of_the_settings(self) -> None:
        """Giving every flag its stated default changes nothing but the plugins' configurations."""
        given: dict[str, Any] = {"objstore.config": STORE}
        for flag in FLAGS:
            if (
                not flag.default
                or flag.ignored
                or any(t.startswith(("front", "meta", "index_cache")) for t in flag.targets)
            ):
                continue
            if flag.kind == "bool":
                given[flag.name] = flag.default == "true"
            elif flag.kind == "choice":
                given[flag.name] = flag.choices[flag.default]
            else:
                given[flag.name] = PARSERS[flag.kind](flag.default)
        assert configure(given, {}).settings == settings()


class TestTargets:
    def test_flags_reach_their_settings(self) -> None:
        made = settings(
            data_dir="/var/lib/storegate",
            cache_index_header=False,
            sync_block_duration=900.0,
            block_discovery_strategy="concurrent",
            block_sync_concurrency=4,
            store__grpc__series_max_concurrency=0,
            store__limits__request_series=10,
            store__limits__request_samples=1200,
            store__grpc__downloaded_bytes_limit=1 << 20,
            store__enable_index_header_lazy_reader=True,
            store__index_header_lazy_download_strategy=True,
            chunk_pool_size=0,
            log__level="debug",
        )
        assert made.data_dir == Path("/var/lib/storegate")
        assert not made.cache_index_header
        assert (made.sync.interval, made.sync.strategy, made.sync.block_concurrency) == (900.0, "concurrent", 4)
        assert (made.limits.concurrency, made.limits.series, made.limits.samples) == (0, 10, 1200)
        assert (made.limits.bytes, made.query.chunk_pool) == (1 << 20, 0)
        assert (made.index_header.lazy, made.index_header.lazy_download) == (True, True)
        assert made.log.level == "debug"

    def test_time_bounds_reach_the_filter_as_well(self) -> None:
        made = settings(min_time="-6w")
        assert made.time.min_time == "-6w"
        assert config_of(made.meta_filters, "time-partition")["min_time"] == "-6w"

    def test_delays_reach_their_filters(self) -> None:
        made = settings(consistency_delay=1800.0, ignore_deletion_marks_delay=86400.0)
        assert config_of(made.meta_filters, "consistency-delay") == {"delay": 1800.0}
        assert config_of(made.meta_filters, "ignore-deletion-mark") == {"delay": 86400.0}

    def test_relabel_rules_reach_the_label_shard_filter(self) -> None:
        made = settings(selector__relabel_config="- {action: keep, source_labels: [region], regex: eu}")
        assert config_of(made.meta_filters, "label-shard") == {
            "rules": [{"action": "keep", "source_labels": ["region"], "regex": "eu"}]
        }

    def test_relabel_rules_that_are_no_list_are_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^--selector\.relabel-config: must be a list of rules$"):
            settings(selector__relabel_config="action: keep")

    def test_addresses_and_certificates_reach_the_front_ends(self) -> None:
        made = settings(
            http_address="127.0.0.1:0",
            http__config="web.yml",
            grpc_address="127.0.0.1:1",
            grpc_grace_period=5.0,
            grpc_server_tls_cert="a.pem",
            grpc_server_tls_ciphers=["X", "Y"],
        )
        assert config_of(made.frontends, "http") == {"address": "127.0.0.1:0", "config_file": "web.yml"}
        assert config_of(made.frontends, "grpc") == {
            "address": "127.0.0.1:1",
            "grace_period": 5.0,
            "tls_cert": "a.pem",
            "tls_ciphers": ["X", "Y"],
        }

    def test_the_index_cache_size_is_that_of_the_in_memory_cache(self) -> None:
        assert settings(index_cache_size=1 << 30).index_cache.config == {"max_size": 1 << 30}

    def test_a_configured_index_cache_wins_over_the_size_flag(self) -> None:
        made = configure({"objstore.config": STORE, "index-cache.config": "type: in-memory", "index-cache-size": 5}, {})
        assert made.settings.index_cache.config == {}
        assert made.notes == ("--index-cache-size has no effect: the index cache is configured elsewhere",)

    def test_flags_without_effect_are_noted_once_each(self) -> None:
        made = configure(
            {"objstore.config": STORE, "enable-auto-gomemlimit": True, "grpc-server-tls-curves": ["X25519"]}, {}
        )
        assert [note.partition(" has no effect")[0] for note in made.notes] == [
            "--enable-auto-gomemlimit",
            "--grpc-server-tls-curves",
        ]

    def test_a_flag_without_effect_that_is_off_is_not_noted(self) -> None:
        assert configure({"objstore.config": STORE, "enable-auto-gomemlimit": False}, {}).notes == ()


class TestPairs:
    def test_the_object_store_is_required(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^an object store is required: give --objstore\.config-file"):
            configure({}, {})

    def test_text_and_file_say_the_same(self, tmp_path: Path) -> None:
        (tmp_path / "bucket.yml").write_text(STORE)
        from_file = configure({"objstore.config-file": str(tmp_path / "bucket.yml")}, {}).settings
        assert from_file == settings()

    def test_text_and_file_exclude_each_other(self) -> None:
        with pytest.raises(
            ConfigurationError, match=r"^--objstore\.config-file and --objstore\.config cannot be given"
        ):
            settings(objstore__config_file="bucket.yml")

    def test_a_missing_file_names_flag_and_path(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^--objstore\.config-file: cannot read /none\.yml: No such file"):
            configure({"objstore.config-file": "/none.yml"}, {})

    def test_unknown_keys_at_the_top_name_flag_and_file(self, tmp_path: Path) -> None:
        (tmp_path / "bucket.yml").write_text("type: S3\nconfigg: {}\n")
        with pytest.raises(ConfigurationError) as caught:
            configure({"objstore.config-file": str(tmp_path / "bucket.yml")}, {})
        assert str(caught.value) == (
            f"--objstore.config-file ({tmp_path}/bucket.yml): configg: unknown key, did you mean 'config'?"
        )

    def test_an_empty_text_is_like_none(self) -> None:
        assert settings(index_cache__config="").index_cache == settings().index_cache

    def test_a_file_that_holds_nothing_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^--objstore\.config: is empty$"):
            configure({"objstore.config": "# nothing"}, {})

    def test_variables_are_expanded(self) -> None:
        made = configure({"objstore.config": "type: S3\nconfig: {secret_key: $(KEY)}"}, {"KEY": "s3cr3t"}).settings
        assert made.object_store.config == {"secret_key": "s3cr3t"}

    def test_hedging_is_accepted(self) -> None:
        made = configure({"objstore.config": STORE + "hedging_config: {enabled: true}"}, {}).settings
        assert made.object_store.hedging_config is not None

    def test_the_caching_bucket_is_parsed_and_kept(self) -> None:
        made = settings(store__caching_bucket__config="type: IN-MEMORY\nchunk_subrange_ttl: 1h")
        assert made.caching_bucket is not None
        assert (made.caching_bucket.type, made.caching_bucket.chunk_subrange_ttl) == ("IN-MEMORY", 3600.0)


class TestFile:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "storegate.yml"
        path.write_text(
            """
            object_store: {type: FILESYSTEM, config: {directory: /file}}
            sync: {interval: 5m, strategy: concurrent}
            meta_filters: [{type: time-partition, config: {min_time: -8w}}, {type: deduplicate}]
            frontends: [{type: grpc, config: {address: "0.0.0.0:1", series_hints: true}}]
            """
        )
        return path

    def test_the_file_fills_the_same_model(self, file: Path) -> None:
        made = configure({"config": str(file)}, {}).settings
        assert (made.sync.interval, made.sync.strategy) == (300.0, "concurrent")
        assert [ref.type for ref in made.meta_filters] == ["time-partition", "deduplicate"]

    def test_explicit_flags_win(self, file: Path) -> None:
        made = configure(
            {
                "config": str(file),
                "objstore.config": STORE,
                "sync-block-duration": 60.0,
                "grpc-address": "0.0.0.0:2",
                "min-time": "-1w",
            },
            {},
        ).settings
        assert made.object_store.config == {"directory": "/blocks"}
        assert (made.sync.interval, made.sync.strategy) == (60.0, "concurrent")
        assert made.frontends[0].config == {"address": "0.0.0.0:2", "series_hints": True}
        assert made.meta_filters[0].config["min_time"] == "-1w"

    def test_a_flag_for_a_component_that_the_file_leaves_out_is_an_error(self, file: Path) -> None:
        with pytest.raises(ConfigurationError) as caught:
            configure({"config": str(file), "consistency-delay": 60.0}, {})
        assert str(caught.value) == (
            f"--consistency-delay needs the meta filter consistency-delay, which meta_filters of --config ({file}) "
            "leaves out"
        )

    def test_errors_name_file_and_path(self, tmp_path: Path) -> None:
        path = tmp_path / "storegate.yml"
        path.write_text("object_store: {type: x}\nsynk: {}\n")
        with pytest.raises(ConfigurationError) as caught:
            configure({"config": str(path)}, {})
        assert str(caught.value) == f"--config ({path}): synk: unknown key, did you mean 'sync'?"

    @pytest.mark.parametrize("text", ["- a", "text", "sync: text", "frontends: text", "frontends: [grpc]"])
    def test_wrong_shapes_are_named_and_not_crashed_on(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "storegate.yml"
        path.write_text(text)
        flags = {"config": str(path), "sync-block-duration": 60.0, "grpc-address": "x:1", "objstore.config": STORE}
        with pytest.raises(ConfigurationError, match="storegate"):
            configure(flags, {})

    def test_an_empty_section_is_like_none(self, tmp_path: Path) -> None:
        path = tmp_path / "storegate.yml"
        path.write_text("sync:\n")
        flags = {"config": str(path), "sync-block-duration": 60.0, "objstore.config": STORE}
        assert configure(flags, {}).settings.sync.interval == 60.0
