"""The lists that a new plugin must be added to, compared with the folders that there are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from storegate.manager import PluginManager

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = sorted(path.parent.name for path in (ROOT / "plugins").glob("storegate_*/__init__.py"))


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def sources(root: str) -> list[Path]:
    return sorted((ROOT / root).rglob("*.py"))


def contract(project: dict[str, Any], word: str) -> dict[str, Any]:
    contracts = project["tool"]["importlinter"]["contracts"]
    return next(entry for entry in contracts if word in entry["name"])


def test_every_plugin_folder_has_an_entry_point(project: dict[str, Any]) -> None:
    assert sorted(project["project"]["entry-points"]["storegate"].values()) == PLUGINS


def test_the_installed_entry_points_are_those_of_the_project_file(project: dict[str, Any]) -> None:
    """When this fails in a checkout, its metadata is stale: run `pip install -e .` again."""
    installed = metadata.distribution("storegate").entry_points.select(group="storegate")
    assert {entry.name: entry.value for entry in installed} == project["project"]["entry-points"]["storegate"]


def test_the_linter_knows_every_plugin(project: dict[str, Any]) -> None:
    linter = project["tool"]["importlinter"]
    assert set(PLUGINS) <= set(linter["root_packages"])
    assert set(PLUGINS) <= set(contract(project, "the core imports no plugin")["forbidden_modules"])
    assert set(PLUGINS) == set(contract(project, "plugins do not import one another")["modules"])


def test_every_built_in_plugin_loads() -> None:
    assert {source.name: source.reason for source in PluginManager.load().broken if source.builtin} == {}


class TestImports:
    """Modules of plugins are imported at every start, and by commands that only list them."""

    LIMIT = 0.030  # s of processor time, beyond what the core loads
    ATTEMPTS = 8  # a busy machine disturbs one; the best one counts
    HEAVY = (
        "grpc", "google.auth", "google.cloud", "google.protobuf", "starlette", "uvicorn", "jinja2", "bcrypt", "boto3",
        "botocore", "azure", "redis", "pymemcache", "dns", "fsspec", "opentelemetry", "urllib3", "requests", "lark",
    )  # fmt: skip
    PROGRAM = """
import importlib, json, sys, time
from importlib import metadata
import storegate.gateway
modules = [entry.value for entry in metadata.entry_points(group="storegate") if entry.dist.name == "storegate"]
before = set(sys.modules)
began = time.process_time()
for module in modules:
    importlib.import_module(module)
print(json.dumps([time.process_time() - began, len(modules), sorted(set(sys.modules) - before)]))
"""

    def imported(self) -> tuple[float, int, list[str]]:
        """Seconds, number of plugins, and the modules that came with them."""
        done = subprocess.run([sys.executable, "-c", self.PROGRAM], capture_output=True, text=True, check=True)
        seconds, count, modules = json.loads(done.stdout)
        return seconds, count, modules

    def test_importing_all_plugins_loads_no_transport_and_no_sdk(self) -> None:
        _, count, modules = self.imported()
        assert count == len(PLUGINS)
        assert [name for name in modules if name.startswith(self.HEAVY)] == []

    def test_importing_all_plugins_takes_little(self) -> None:
        seconds = []
        while len(seconds) < self.ATTEMPTS and not (seconds and min(seconds) < self.LIMIT):
            seconds.append(self.imported()[0])
        assert min(seconds) < self.LIMIT


def test_every_package_carries_its_types() -> None:
    typed = {path.parent.name for path in ROOT.glob("*/storegate*/py.typed")}
    assert typed == {"storegate", "storegate_proto", *PLUGINS}


def test_generated_code_sets_the_floors_of_grpcio_and_protobuf(project: dict[str, Any]) -> None:
    generated = (ROOT / "proto/storegate_proto/store/storepb/rpc_pb2.py").read_text()
    stubs = (ROOT / "proto/storegate_proto/store/storepb/rpc_pb2_grpc.py").read_text()
    protobuf = re.search(r"Protobuf Python Version: ([\d.]+)", generated)
    grpcio = re.search(r"GRPC_GENERATED_VERSION = '([\d.]+)'", stubs)
    assert protobuf is not None
    assert grpcio is not None
    assert f"protobuf>={protobuf[1]}" in project["project"]["dependencies"]
    assert f"grpcio>={grpcio[1]}" in project["project"]["dependencies"]
    assert f"grpcio-tools=={grpcio[1]}" in project["dependency-groups"]["proto"]


def test_every_dependency_is_imported(project: dict[str, Any]) -> None:
    other_names = {
        "grpcio": "grpc",
        "protobuf": "google.protobuf",
        "grpcio-health-checking": "grpc_health",
        "grpcio-reflection": "grpc_reflection",
        "google-re2": "re2",
        "prometheus-client": "prometheus_client",
        "PyYAML": "yaml",
        "python-ulid": "ulid",
    }
    names = [re.split(r"[<>=\[;]", line)[0] for line in project["project"]["dependencies"]]
    code = "\n".join(path.read_text(encoding="utf-8") for root in ("core", "plugins") for path in sources(root))
    modules = [other_names.get(name, name) for name in names]
    assert [
        name for name in modules if not re.search(rf"^\s*(from|import) {re.escape(name)}\b", code, re.MULTILINE)
    ] == []


def test_every_dependency_has_a_reason(project: dict[str, Any]) -> None:
    reasons = (ROOT / "docs/explanation/dependencies.md").read_text()
    names = [re.split(r"[<>=\[;]", line)[0] for line in project["project"]["dependencies"]]
    assert [name for name in names if f"**{name}**" not in reasons] == []
