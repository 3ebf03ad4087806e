"""`storegate config check|show|schema`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from storegate.cli import root
from storegate.config.flag_texts import REDACTED
from storegate.manager import PluginManager
from storegate.settings_schema import settings_schema

DOCS = Path(__file__).resolve().parents[4] / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "```yaml\n" in page.read_text(encoding="utf-8"))
FOLDER = "--objstore.config={type: FILESYSTEM, config: {directory: /blocks}}"
S3 = "--objstore.config={type: S3, config: {bucket: b, endpoint: 'localhost:1', access_key: AKIA, secret_key: hunter2}}"
STORE = {"object_store": {"type": "FILESYSTEM", "config": {"directory": "/blocks"}}}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = root.run(["config", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "storegate.yml"
    path.write_text("object_store: {type: FILESYSTEM, config: {directory: /blocks}}\nsync: {interval: 5m}\n")
    return str(path)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return settings_schema(PluginManager.load(allow=["storegate"]))


class TestCheck:
    def test_flags_are_checked_without_a_file(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(capsys, "check", FOLDER, "--min-time=-6w") == (0, "the flags: ok\n", "")

    def test_flags_are_checked_beside_a_file(self, capsys: pytest.CaptureFixture[str], file: str) -> None:
        code, _, err = run(capsys, "check", file, "--min-time=2020-01-01T00:00:00Z", "--max-time=2019-01-01T00:00:00Z")
        assert (code, "is after max_time" in err) == (1, True)

    def test_what_has_no_effect_is_noted(self, capsys: pytest.CaptureFixture[str], file: str) -> None:
        code, _, err = run(capsys, "check", file, "--enable-auto-gomemlimit")
        assert (code, err.startswith("note: --enable-auto-gomemlimit has no effect")) == (0, True)

    def test_two_files_are_wrong_usage(self, capsys: pytest.CaptureFixture[str], file: str) -> None:
        assert run(capsys, "check", file, f"--config={file}")[0] == 2


class TestShow:
    def test_the_file_the_flags_and_defaults_are_shown(self, capsys: pytest.CaptureFixture[str], file: str) -> None:
        code, out, _ = run(capsys, "show", file, "--http-address=127.0.0.1:1")
        shown = yaml.safe_load(out)
        assert code == 0
        assert shown["sync"]["interval"] == 300.0
        assert shown["frontends"][1]["config"]["address"] == "127.0.0.1:1"
        assert shown["limits"]["concurrency"] == 20

    def test_json_says_the_same(self, capsys: pytest.CaptureFixture[str], file: str) -> None:
        as_yaml = yaml.safe_load(run(capsys, "show", file)[1])
        assert json.loads(run(capsys, "show", file, "--json")[1]) == as_yaml

    @pytest.mark.parametrize("form", [[], ["--json"]])
    def test_no_secret_is_shown(self, capsys: pytest.CaptureFixture[str], form: list[str]) -> None:
        code, out, err = run(capsys, "show", S3, *form)
        assert (code, REDACTED in out) == (0, True)
        assert "hunter2" not in out + err

    def test_what_is_shown_can_be_read_again(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        first = run(capsys, "show", FOLDER)[1]
        (tmp_path / "shown.yml").write_text(first)
        assert run(capsys, "show", str(tmp_path / "shown.yml")) == (0, first, "")

    def test_safe_mode_shows_what_it_leaves(self, capsys: pytest.CaptureFixture[str]) -> None:
        cache = "--index-cache.config={type: acme}"
        code, out, err = run(capsys, "show", FOLDER, cache, "--plugins.safe-mode")
        assert (code, yaml.safe_load(out)["index_cache"]["type"]) == (0, "IN-MEMORY")
        assert "index_cache: safe mode takes the default instead of acme" in err


class TestSchema:
    @staticmethod
    def complaints(schema: dict[str, Any], document: Any) -> list[str]:
        return [error.message for error in Draft202012Validator(schema).iter_errors(document)]

    def test_the_command_prints_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _ = run(capsys, "schema")
        Draft202012Validator.check_schema(json.loads(out))
        assert code == 0

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_examples_of_the_documentation_fit(self, schema: dict[str, Any], page: Path) -> None:
        for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            document = {**STORE, **yaml.safe_load(block)}
            document.pop("meta_filters", None)  # some are of plugins that are made up
            assert self.complaints(schema, document) == []

    @pytest.mark.parametrize("name", ["FILESYSTEM", "filesystem", "FileSystem@storegate"])
    def test_a_type_is_known_in_any_case_and_with_its_distribution(self, schema: dict[str, Any], name: str) -> None:
        document = {"object_store": {"type": name, "config": {"directory": "/blocks"}}}
        assert self.complaints(schema, document) == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"object_store": {"type": "FILESYSTEMS", "config": {}}},
            {"object_store": {"type": "FILESYSTEM", "config": {"direktory": "/blocks"}}},
            {"object_store": {"type": "filesystem"}},
            STORE | {"sync": {"intervall": "3m"}},
            STORE | {"sync": {"interval": "soon"}},
            STORE | {"frontends": [{"type": "http", "config": {"adress": "x"}}]},
            STORE | {"index_cache": {"type": "FILESYSTEM"}},
        ],
    )
    def test_what_the_gateway_refuses_is_refused(self, schema: dict[str, Any], wrong: Any) -> None:
        assert self.complaints(schema, wrong) != []

    def test_an_installed_plugin_is_covered(self, install: Callable[..., None]) -> None:
        install("good")
        plugins = PluginManager.load()
        schema = settings_schema(plugins)
        (name,) = {loaded.name for loaded in plugins.providers("object_store") if not loaded.source.builtin}
        assert any(key.startswith(f"object_store.{name}.") for key in schema["$defs"])
        assert self.complaints(schema, {"object_store": {"type": name, "config": {"nonsense-key": 1}}}) != []

    def test_of_two_plugins_of_one_name_each_has_its_own(self, install: Callable[..., None]) -> None:
        install("good", "conflict")
        plugins = PluginManager.load()
        contested = {kind: names for kind in ("object_store", "cache") if (names := plugins.conflicts(kind))}
        schema = settings_schema(plugins)
        for kind, names in contested.items():
            for rivals in names.values():
                for loaded in rivals:
                    assert f"{kind}.{loaded.name}@{loaded.source.distribution}.config" in schema["$defs"]
        assert contested
