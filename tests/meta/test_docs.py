"""The documentation says what the code does."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from storegate import errors
from storegate.config.flag_table import FLAGS
from storegate.config.flags import flag_names
from storegate.config.settings import Settings
from storegate.config.validation import check
from storegate.config.yaml_file import parse_yaml
from storegate.manager import PluginManager

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BUILT_IN = PluginManager.load(allow=["storegate"])


def page_id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The script that writes the reference pages."""
    spec = importlib.util.spec_from_file_location("reference_pages", ROOT / ".ci/reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["configuration", "flags", "metrics"])
def test_reference_pages_are_those_that_the_code_gives(reference: ModuleType, name: str) -> None:
    """When this fails, run `python .ci/reference.py`."""
    committed = (ROOT / f"docs/reference/{name}.md").read_text(encoding="utf-8")
    assert committed == getattr(reference, f"{name}_page")()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if not target.startswith(("http:", "https:", "mailto:"))]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml")], ids=page_id)
def test_yaml_examples_are_sound_configurations(page: Path) -> None:
    for block in blocks(page, "yaml"):
        environ = dict.fromkeys(re.findall(r"\$\((\w+)\)", block), "value")
        settings = check(Settings, parse_yaml(block, source=page.name, environ=environ), source=page.name)
        caches = [("cache", settings.index_cache), ("cache", settings.caching_bucket)]
        for kind, ref in [("object_store", settings.object_store), *caches]:
            if ref is not None:
                check(BUILT_IN.get(kind, ref.type).provider.config, ref.config, source=page.name, path=kind)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_in_the_documentation_use_known_flags(page: Path) -> None:
    known = set(flag_names()) | {f"no-{flag.name}" for flag in FLAGS if flag.kind == "bool"}
    for block in blocks(page, "bash"):
        for command in re.findall(r"storegate store((?:[^\n]|(?<=\\)\n)*)", block):
            assert set(re.findall(r"(?<=--)[a-z][\w.-]*", command)) <= known


def test_every_page_of_the_documentation_can_be_reached() -> None:
    linked = {
        (page.parent / target).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+\.md)", page.read_text(encoding="utf-8"))
        if not target.startswith("http")
    }
    outside = {ROOT / name for name in ("README.md", "CHANGELOG.md")}
    fragments = set((ROOT / "docs/changelog.d").glob("*.md"))
    generated_for_packages = {page for page in PAGES if "examples" in page.parts}
    missing = set(PAGES) - linked - outside - fragments - generated_for_packages - {ROOT / "docs/README.md"}
    assert sorted(map(page_id, missing)) == []


def test_changelog_fragments_are_named_by_kind() -> None:
    names = {path.name for path in (ROOT / "docs/changelog.d").iterdir()} - {"README.md"}
    assert [name for name in names if not re.fullmatch(r"[a-z0-9-]+\.(added|changed|fixed|removed)\.md", name)] == []


def test_every_error_says_what_a_caller_can_do() -> None:
    leaves = [value for value in vars(errors).values() if inspect.isclass(value)]
    assert [leaf.__name__ for leaf in leaves if not leaf.__doc__] == []
