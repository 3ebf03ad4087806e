from __future__ import annotations

import re
import sys
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from storegate.config.settings import ComponentRef
from storegate.errors import ConfigurationError, PluginError
from storegate.manager import KINDS, PluginManager, PluginSource

STATES = ("loaded", "disabled", "broken")
Install = Callable[..., None]


def source_of(manager: PluginManager, name: str) -> PluginSource:
    return next(source for source in manager.sources() if source.name == name)


class TestLoading:
    def test_built_ins_are_found_through_the_entry_points(self, install: Install) -> None:
        manager = PluginManager.load()
        assert {source.name for source in manager.sources() if source.builtin} >= {
            "filesystem",
            "inmemory",
            "filters",
            "partitioners",
            "grpc",
            "http",
        }
        assert manager.get("object_store", "FILESYSTEM").source.distribution == "storegate"

    def test_a_third_party_plugin_gives_providers_of_every_kind(self, install: Install) -> None:
        install("good")
        manager = PluginManager.load()
        for kind in KINDS:
            assert any(loaded.source.name == "acme" for loaded in manager.providers(kind)), kind

    def test_a_provider_knows_its_origin(self, install: Install) -> None:
        install("good")
        source = PluginManager.load().get("cache", "ACME-CACHE").source
        assert (source.distribution, source.version, source.name, source.module, source.state) == (
            "storegate-acme",
            "1.2",
            "acme",
            "storegate_acme",
            "loaded",
        )
        assert source.import_seconds > 0

    def test_factories_are_not_imported_at_load(self, install: Install) -> None:
        install("good")
        PluginManager.load()
        assert "storegate_acme_parts" not in sys.modules

    @pytest.mark.parametrize(
        ("case", "name", "said"),
        [
            ("import_error", "lost", "ModuleNotFoundError: No module named 'no_such_package'"),
            ("exits", "exits", "SystemExit: 3"),
            ("hook_raises", "raises", "storegate_caches failed: RuntimeError: no licence found"),
            ("misspelt", "misspelt", "storegate_cachs is no hook of storegate, did you mean 'storegate_caches'?"),
            ("unmarked", "unmarked", "storegate_caches lacks the marker @storegate.hookimpl"),
            ("wrong_record", "wrong", "storegate_caches must yield CacheProvider records, not a PartitionerProvider"),
            ("not_iterable", "single", "storegate_caches must yield CacheProvider records, not return a CacheProvider"),
            ("outdated", "old", "OLD is written for plugin API 0.9, this storegate has 1.0"),
            ("newer", "newer", "NEW is written for plugin API 1.99, this storegate has 1.0: upgrade storegate"),
            ("loose_config", "loose", 'config model Config must set extra="forbid"'),
            ("empty", "empty", "implements no hook"),
            ("wrong_states", "states", "WORDS: states must be a tuple of words, not a str"),
        ],
    )
    def test_a_faulty_plugin_is_broken_with_its_reason(self, install: Install, case: str, name: str, said: str) -> None:
        install(case)
        manager = PluginManager.load()
        source = source_of(manager, name)
        assert source.state == "broken"
        assert said in source.reason
        assert "\n" not in source.reason

    def test_faulty_plugins_leave_the_others_alone(self, install: Install) -> None:
        install("good", "import_error", "exits", "hook_raises", "misspelt", "wrong_record", "empty", "outdated")
        manager = PluginManager.load()
        assert {source.name for source in manager.broken} == {
            "lost",
            "exits",
            "raises",
            "misspelt",
            "wrong",
            "empty",
            "old",
        }
        assert manager.create("cache", ComponentRef(type="ACME-CACHE"))[0].size == 1
        assert manager.get("object_store", "FILESYSTEM")

    def test_no_provider_of_a_broken_plugin_stays(self, install: Install) -> None:
        install("hook_raises")
        assert "HALF" not in {loaded.name for loaded in PluginManager.load().providers("cache")}

    def test_plugins_are_counted_by_state(self, install: Install) -> None:
        install("good", "import_error", "misspelt", "blocked")
        manager, registry = PluginManager.load(disable=["blocked"]), CollectorRegistry()
        manager.count_in(registry)
        counts = {state: registry.get_sample_value("storegate_plugins", {"state": state}) for state in STATES}
        assert counts == {"loaded": len(manager.sources()) - 3, "disabled": 1, "broken": 2}

    def test_each_plugin_has_a_metric_with_its_origin(self, install: Install) -> None:
        install("good", "import_error")
        manager, registry = PluginManager.load(), CollectorRegistry()
        manager.count_in(registry)
        acme = {"plugin": "acme", "distribution": "storegate-acme", "version": "1.2", "state": "loaded"}
        assert registry.get_sample_value("storegate_plugin_info", acme) == 1
        lost = {"plugin": "lost", "distribution": "storegate-lost", "version": "2.0", "state": "broken"}
        assert registry.get_sample_value("storegate_plugin_info", lost) == 1


class TestTroubles:
    """What an operator hears at the start."""

    def test_a_broken_plugin_is_one_line_with_cause_and_fix(self, install: Install) -> None:
        install("import_error")
        ((source, text),) = PluginManager.load().troubles()
        assert (source.origin, "no_such_package" in text, "pip install --upgrade storegate-lost" in text) == (
            "storegate-lost 2.0",
            True,
            True,
        )

    def test_a_slow_import_is_one_line(self, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
        install("slow")
        monkeypatch.setattr("storegate.manager.SLOW_IMPORT_SECONDS", 0.05)
        texts = [text for source, text in PluginManager.load().troubles() if source.name == "slow"]
        assert [re.sub(r"[0-9.]+ s", "N s", text) for text in texts] == [
            "took N s to import: an SDK belongs in the module of a factory, which is imported when it is used"
        ]

    def test_a_conflict_is_one_line(self, install: Install) -> None:
        install("good", "conflict")
        ((_, text),) = PluginManager.load().troubles()
        assert "provided by storegate-acme 1.2 and storegate-rival 3.1: write 'ACME@storegate-acme'" in text


class TestLists:
    def test_a_disabled_plugin_is_never_imported(self, install: Install) -> None:
        install("blocked")
        manager = PluginManager.load(disable=["blocked"])
        assert "storegate_blocked" not in sys.modules
        assert (source_of(manager, "blocked").state, source_of(manager, "blocked").reason) == (
            "disabled",
            "disabled by plugins.disable",
        )

    @pytest.mark.parametrize("name", ["blocked", "storegate-blocked", "Storegate_Blocked", "blocked@storegate-blocked"])
    def test_a_list_names_entry_points_or_distributions(self, install: Install, name: str) -> None:
        install("blocked")
        assert source_of(PluginManager.load(disable=[name]), "blocked").state == "disabled"

    def test_the_environment_disables_too(self, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
        install("blocked", "good")
        monkeypatch.setenv("STOREGATE_PLUGINS_DISABLE", "other, blocked")
        manager = PluginManager.load()
        assert source_of(manager, "blocked").reason == "disabled by STOREGATE_PLUGINS_DISABLE"
        assert source_of(manager, "acme").state == "loaded"

    def test_only_allowed_plugins_are_imported(self, install: Install) -> None:
        install("blocked", "good")
        manager = PluginManager.load(allow=["storegate", "acme"])
        assert source_of(manager, "blocked").reason == "not in plugins.allow"
        assert manager.get("cache", "acme-cache")
        assert manager.get("cache", "IN-MEMORY")

    def test_the_environment_restricts_the_allow_list_further(
        self, install: Install, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install("good")
        monkeypatch.setenv("STOREGATE_PLUGINS_ALLOW", "storegate")
        manager = PluginManager.load(allow=["storegate", "acme"])
        assert source_of(manager, "acme").reason == "not in STOREGATE_PLUGINS_ALLOW"

    def test_a_needed_but_disabled_plugin_says_so(self, install: Install) -> None:
        manager = PluginManager.load(disable=["grpc"])
        with pytest.raises(PluginError, match=r"frontend 'grpc' needs the plugin grpc of storegate .*plugins\.disable"):
            manager.get("frontend", "grpc")


class TestLookup:
    def test_names_have_no_case(self, install: Install) -> None:
        assert PluginManager.load().get("object_store", "FileSystem").name == "FILESYSTEM"

    def test_an_unknown_type_lists_what_there_is_and_suggests(self, install: Install) -> None:
        with pytest.raises(PluginError) as caught:
            PluginManager.load().get("object_store", "FILESYSTM", where="object_store")
        assert str(caught.value) == (
            "object_store.type: no object store 'FILESYSTM', did you mean 'FILESYSTEM'? (available: AZURE, FILESYSTEM, "
            "FSSPEC, GCS, S3)"
        )

    def test_an_unknown_type_names_the_broken_plugins_that_might_have_had_it(self, install: Install) -> None:
        install("import_error")
        with pytest.raises(PluginError, match=r"plugins that could not load: lost \(storegate-lost 2\.0\)"):
            PluginManager.load().get("cache", "QUANTUM")

    def test_a_needed_but_broken_plugin_names_distribution_version_cause_and_fix(self, install: Install) -> None:
        install("import_error")
        with pytest.raises(PluginError) as caught:
            PluginManager.load().get("cache", "LOST")
        assert str(caught.value) == (
            "cache 'LOST' needs the plugin lost of storegate-lost 2.0, which could not load: import of storegate_lost "
            "failed: ModuleNotFoundError: No module named 'no_such_package'; run: python -m pip install --upgrade "
            "storegate-lost, or disable the plugin lost"
        )

    def test_a_name_that_a_broken_plugin_got_to_offer_is_remembered(self, install: Install) -> None:
        install("hook_raises")
        with pytest.raises(PluginError, match=r"cache 'half' needs the plugin raises of storegate-raises 1\.0"):
            PluginManager.load().get("cache", "half")

    def test_two_providers_of_one_name_are_refused_when_it_is_used(self, install: Install) -> None:
        install("good", "conflict")
        with pytest.raises(PluginError) as caught:
            PluginManager.load().get("object_store", "acme")
        assert str(caught.value) == (
            "object store 'acme' is provided by storegate-acme 1.2 and storegate-rival 3.1: "
            "write 'acme@storegate-acme' or 'acme@storegate-rival'"
        )

    def test_a_conflict_does_not_touch_other_names(self, install: Install) -> None:
        install("good", "conflict")
        manager = PluginManager.load()
        assert manager.get("object_store", "FILESYSTEM")
        assert set(manager.conflicts("object_store")) == {"acme"}

    def test_the_distribution_chooses_between_two_of_one_name(self, install: Install) -> None:
        install("good", "conflict")
        manager = PluginManager.load()
        assert manager.create("object_store", ComponentRef(type="ACME@Storegate_Rival")) == "rival"

    def test_a_distribution_that_has_no_such_provider_is_named(self, install: Install) -> None:
        install("good")
        with pytest.raises(PluginError, match="no cache 'ACME-CACHE@other': ACME-CACHE is provided by storegate-acme"):
            PluginManager.load().get("cache", "ACME-CACHE@other")

    def test_an_installation_without_built_ins_says_how_to_repair_it(self, install: Install) -> None:
        with pytest.raises(PluginError, match=r"no built-in plugin is installed.*pip install \.' again"):
            PluginManager.load(group="storegate.nothing").get("cache", "IN-MEMORY")

    def test_safe_mode_says_whom_it_leaves_out(self, install: Install) -> None:
        install("conflict")
        with pytest.raises(PluginError, match=r"\(--plugins\.safe-mode\) leaves out rival \(storegate-rival 3\.1\)"):
            PluginManager.load(safe_mode=True).get("object_store", "ACME")


class TestCreation:
    def test_unknown_configuration_keys_have_a_path_and_a_suggestion(self, install: Install) -> None:
        ref = ComponentRef(type="FILESYSTEM", config={"direktory": "/tmp"})
        with pytest.raises(ConfigurationError) as caught:
            PluginManager.load().create("object_store", ref)
        assert "object_store.config.direktory: unknown key, did you mean 'directory'?" in str(caught.value)

    def test_the_role_names_the_place_in_messages(self, install: Install) -> None:
        ref = ComponentRef(type="IN-MEMORY", config={"max_siz": 1})
        with pytest.raises(ConfigurationError, match=r"^index_cache\.config\.max_siz: "):
            PluginManager.load().create("cache", ref, {"role": "index-cache"})

    def test_the_factory_gets_checked_configuration_and_context(self, install: Install) -> None:
        install("good")
        registry = CollectorRegistry()
        config, context = PluginManager.load().create(
            "cache",
            ComponentRef(type="acme-cache", config={"size": "7"}),
            {"role": "index-cache", "registry": registry},
        )
        assert config.size == 7
        assert (context.name, context.role, context.registry) == ("ACME-CACHE", "index-cache", registry)

    def test_a_missing_sdk_gives_the_install_command(self, install: Install) -> None:
        install("missing_sdk")
        with pytest.raises(PluginError, match=r"No module named 'no_such_sdk'; run: .*'storegate-sdk\[sdk\]'"):
            PluginManager.load().create("cache", ComponentRef(type="SDK"))

    def test_errors_of_storegate_pass_through(self, install: Install) -> None:
        install("good")
        with pytest.raises(ConfigurationError, match=r"^thirteen is refused by the factory$"):
            PluginManager.load().create("cache", ComponentRef(type="ACME-CACHE", config={"size": 13}))

    def test_a_thing_of_the_wrong_shape_names_what_it_lacks(self, install: Install) -> None:
        install("good")
        with pytest.raises(
            PluginError,
            match=r"what ACME-CACHE of storegate-acme 1\.2 made is no cache, for it lacks get_many, set_many",
        ):
            PluginManager.load().create("cache", ComponentRef(type="ACME-CACHE", config={"size": 15}))

    def test_other_exceptions_of_a_factory_name_the_plugin(self, install: Install) -> None:
        install("good")
        with pytest.raises(
            PluginError, match=r"^cache: ACME-CACHE of storegate-acme 1\.2 could not be opened: Runtime"
        ):
            PluginManager.load().create("cache", ComponentRef(type="ACME-CACHE", config={"size": 14}))
