"""The lists that a new plugin must be added to, compared with the folders that there are."""

from __future__ import annotations

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


def test_loading_all_plugins_imports_no_transport_and_no_sdk() -> None:
    program = (
        "import sys; from storegate.manager import PluginManager; PluginManager.load()\n"
        "heavy = {'grpc', 'starlette', 'uvicorn', 'botocore', 'urllib3', 'redis', 'pymemcache'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


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
