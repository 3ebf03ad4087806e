"""`storegate plugins`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from storegate import manager
from storegate.cli import root

Run = Callable[..., tuple[int, Any]]
STORE = "--objstore.config={type: FILESYSTEM, config: {directory: /blocks}}"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], install: Callable[..., None]) -> Run:
    """Exit code and output (read, if it is JSON) of `storegate plugins ...`."""

    def call(*arguments: str) -> tuple[int, Any]:
        code = root.run(("plugins", *arguments))
        out = capsys.readouterr().out
        return code, json.loads(out) if "--json" in arguments else out

    return call


def entry(entries: list[dict[str, Any]], **wanted: str) -> dict[str, Any]:
    (found,) = [entry for entry in entries if wanted.items() <= entry.items()]
    return found


class TestList:
    def test_providers_are_listed_with_their_origin(self, run: Run) -> None:
        code, out = run("list")
        assert code == 0
        line = next(line for line in out.splitlines() if "FILESYSTEM" in line)
        assert line.split()[:5] == ["object_store", "FILESYSTEM", "available", "filesystem", "storegate"]

    def test_what_the_configuration_uses_is_active_and_says_where(self, run: Run) -> None:
        _, entries = run("list", "--json", STORE)
        assert entry(entries, name="FILESYSTEM")["usedIn"] == ["object_store"]
        assert entry(entries, name="FILESYSTEM")["state"] == "active"
        assert entry(entries, name="deduplicate")["usedIn"] == ["meta_filters[4]"]
        assert entry(entries, name="S3")["state"] == "available"

    def test_conflicting_providers_tell_apart_by_distribution(self, run: Run, install: Callable[..., None]) -> None:
        install("good", "conflict")
        _, entries = run("list", "--json")
        rival = entry(entries, distribution="storegate-rival")
        assert (rival["state"], rival["fix"]) == ("conflict", "write Acme@storegate-rival")
        assert rival["cause"] == "storegate-acme 1.2 provides it too"

    def test_a_broken_plugin_has_cause_and_fix(self, run: Run, install: Callable[..., None]) -> None:
        install("import_error")
        _, entries = run("list", "--json")
        lost = entry(entries, plugin="lost")
        assert (lost["state"], "no_such_package" in lost["cause"]) == ("broken", True)
        assert lost["fix"].startswith("run: python -m pip install --upgrade storegate-lost")

    def test_a_broken_plugin_is_listed_with_what_it_got_to_offer(self, run: Run, install: Callable[..., None]) -> None:
        install("hook_raises")
        _, entries = run("list", "--json")
        assert entry(entries, plugin="raises")["name"] == "HALF"

    def test_a_disabled_plugin_says_by_what(
        self, run: Run, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install("good")
        monkeypatch.setenv("STOREGATE_PLUGINS_DISABLE", "acme")
        _, entries = run("list", "--json")
        acme = entry(entries, plugin="acme")
        assert (acme["state"], acme["cause"]) == ("disabled", "disabled by STOREGATE_PLUGINS_DISABLE")

    def test_a_slow_import_is_told_with_its_time(
        self, run: Run, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install("slow")
        monkeypatch.setattr("storegate.plugin_report.SLOW_IMPORT_SECONDS", 0.05)
        _, entries = run("list", "--json")
        slow = entry(entries, name="SLOW")
        assert slow["importSeconds"] > 0.05
        assert "its import takes" in slow["cause"]


class TestShow:
    def test_it_has_the_settings_with_their_defaults(self, run: Run) -> None:
        code, out = run("show", "in-memory")
        assert code == 0
        assert any(line.split()[:4] == ["max_size", "integer", "or", "string"] for line in out.splitlines())

    def test_the_schema_of_settings_is_json(self, run: Run) -> None:
        _, (s3,) = run("show", "s3", "--json")
        assert s3["configSchema"]["properties"]["insecure"]["default"] is False

    @pytest.mark.parametrize("name", ["ACME@storegate-rival", "storegate-rival"])
    def test_a_distribution_chooses(self, run: Run, install: Callable[..., None], name: str) -> None:
        install("good", "conflict")
        _, (shown,) = run("show", name, "--json")
        assert shown["distribution"] == "storegate-rival"

    def test_an_unknown_name_is_an_error_with_a_suggestion(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert root.run(("plugins", "show", "filesystm")) == 1
        assert "did you mean" in capsys.readouterr().err


class TestCheck:
    def test_a_sound_configuration_is_ok(self, run: Run) -> None:
        code, rows = run("check", "--json", STORE)
        assert (code, {row["result"] for row in rows}) == (0, {"ok"})

    def test_a_broken_plugin_that_nothing_needs_is_a_warning(self, run: Run, install: Callable[..., None]) -> None:
        install("import_error")
        code, rows = run("check", "--json", STORE)
        assert (code, [row["text"][:27] for row in rows if row["result"] != "ok"]) == (
            0,
            ["lost of storegate-lost 2.0 "],
        )

    @pytest.mark.parametrize(
        ("case", "cache", "said"),
        [
            ("import_error", "{type: LOST}", "no_such_package"),
            ("missing_sdk", "{type: SDK}", "run: python -m pip install 'storegate-sdk[sdk]'"),
            ("good", "{type: ACME-CACHE, config: {sise: 1}}", "did you mean 'size'?"),
            ("newer", "{type: NEW}", "upgrade storegate"),
        ],
    )
    def test_what_the_configuration_needs_must_be_there(
        self, run: Run, install: Callable[..., None], case: str, cache: str, said: str
    ) -> None:
        install(case)
        code, rows = run("check", "--json", STORE, f"--index-cache.config={cache}")
        assert code == 1
        assert said in entry(rows, place="index_cache", result="broken")["text"]


class TestWhy:
    def test_a_default_is_told_from_the_configuration(self, run: Run) -> None:
        _, entries = run("why", "--json", STORE)
        assert entry(entries, place="object_store")["why"] == "configuration: object_store"
        assert entry(entries, place="partitioner")["why"] == "default: partitioner is not given"
        assert entry(entries, place="caching_bucket")["why"] == "not configured"

    def test_every_place_is_there(self, run: Run) -> None:
        _, entries = run("why", "--json")
        places = {entry["place"].partition("[")[0] for entry in entries}
        assert places == {
            "object_store", "index_cache", "caching_bucket", "meta_filters", "partitioner", "frontends", "observers",
            "tracing",
        }  # fmt: skip

    def test_the_rule_that_chose_between_two_is_named(self, run: Run, install: Callable[..., None]) -> None:
        install("good", "conflict")
        _, entries = run("why", "--json", "--objstore.config={type: acme@storegate-rival}")
        place = entry(entries, place="object_store")
        assert (place["distribution"], place["version"]) == ("storegate-rival", "3.1")
        assert "chosen by @storegate-rival: storegate-acme 1.2 provides Acme too" in place["why"]

    def test_a_conflict_that_nothing_settles_is_a_problem(self, run: Run, install: Callable[..., None]) -> None:
        install("good", "conflict")
        _, entries = run("why", "--json", "--objstore.config={type: acme}")
        assert "write 'acme@storegate-acme' or" in entry(entries, place="object_store")["problem"]

    def test_the_table_names_what_is_missing(self, run: Run) -> None:
        _, out = run("why", "--objstore.config={type: NOWHERE}")
        assert "NOWHERE (missing)" in out


class TestSafeMode:
    def test_what_cannot_change_an_answer_is_replaced_by_the_default(
        self, run: Run, install: Callable[..., None]
    ) -> None:
        install("good")
        _, entries = run("why", "--json", STORE, "--plugins.safe-mode", "--index-cache.config={type: ACME-CACHE}")
        cache = entry(entries, place="index_cache")
        assert (cache["provider"], cache["why"]) == ("IN-MEMORY", "safe mode takes the default instead of ACME-CACHE")

    def test_a_store_of_a_third_party_is_missed_and_not_replaced(self, run: Run, install: Callable[..., None]) -> None:
        install("good")
        code, rows = run("check", "--json", "--objstore.config={type: ACME}", "--plugins.safe-mode")
        assert code == 1
        text = entry(rows, place="object_store")["text"]
        assert "needs the plugin acme of storegate-acme 1.2" in text
        assert "start without --plugins.safe-mode" in text

    def test_nothing_of_a_third_party_is_imported(self, install: Callable[..., None]) -> None:
        install("good")
        loaded = manager.PluginManager.load(safe_mode=True)
        assert {source.distribution for source in loaded.sources() if source.state == "loaded"} == {"storegate"}
