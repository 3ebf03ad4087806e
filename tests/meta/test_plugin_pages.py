"""The pages for authors of plugins: their code runs, and they show hooks and protocols as they are."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import storegate
from storegate import hookspecs

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs/plugins"
EXAMPLE = ROOT / "docs/examples/storegate-example"
PAGES = sorted(FOLDER.glob("*.md"))
FIRST = FOLDER / "first-plugin.md"
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("storegate_")}
PROTOCOLS = {
    "object-stores.md": [storegate.ObjectStore, storegate.SupportsReadInto, storegate.SupportsListPage],
    "caches.md": [storegate.Cache, storegate.SupportsServers],
    "meta-filters.md": [storegate.MetaFilter],
    "partitioners.md": [storegate.Partitioner, storegate.LearnsFromReads],
    "frontends.md": [storegate.FrontEnd, storegate.SupportsMount],
    "observers.md": [storegate.Observer],
}
KINDS_OF_THINGS = [found[0] for found in PROTOCOLS.values()]
METHODS = [(page, protocol, name) for page, found in PROTOCOLS.items() for protocol in found for name in vars(protocol)]
METHODS = [(page, protocol, name) for page, protocol, name in METHODS if inspect.isfunction(vars(protocol)[name])]
METHODS = [(page, protocol, name) for page, protocol, name in METHODS if not name.startswith("_")]


def files(page: Path) -> dict[str, str]:
    """What the code blocks of a page that begin with the name of a file hold, by that name."""
    text = page.read_text(encoding="utf-8")
    return dict(re.findall(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def page_of(hook: str) -> Path:
    """The page that implements the hook."""
    pages = [page for page in PAGES if page != FIRST and any(f"def {hook}(" in text for text in files(page).values())]
    assert len(pages) == 1, f"{hook} is to be implemented on one page, not on {[page.name for page in pages]}"
    return pages[0]


def as_documented(function: Any) -> str:
    """`name(arguments)` as a page writes it: without self and types."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    text = str(inspect.Signature(plain)).replace("'", '"')
    return f"{function.__name__}{text}"


class TestHooks:
    @pytest.mark.parametrize("hook", sorted(HOOKS))
    def test_every_hook_has_a_page_with_its_signature(self, hook: str) -> None:
        signature = f"{hook}{inspect.signature(HOOKS[hook])}".replace("'", "")
        assert f"```python\n{signature}\n```" in page_of(hook).read_text(encoding="utf-8")

    @pytest.mark.parametrize("hook", sorted(HOOKS))
    def test_the_example_of_a_hook_takes_exactly_its_arguments(self, hook: str) -> None:
        trees = [ast.parse(text) for name, text in files(page_of(hook)).items() if name.endswith(".py")]
        (found,) = [
            node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == hook
        ]
        assert [argument.arg for argument in found.args.args] == list(inspect.signature(HOOKS[hook]).parameters)

    @pytest.mark.parametrize("hook", sorted(HOOKS))
    def test_every_hook_has_a_test_on_its_page(self, hook: str) -> None:
        tests = [text for name, text in files(page_of(hook)).items() if name.startswith("test_")]
        assert any(re.search(r"^def test_\w+\(.*start_gateway", text, re.MULTILINE) for text in tests)

    @pytest.mark.parametrize(("page", "protocol", "method"), METHODS)
    def test_every_method_of_a_protocol_is_shown_with_its_arguments(
        self, page: str, protocol: Any, method: str
    ) -> None:
        assert as_documented(vars(protocol)[method]) in (FOLDER / page).read_text(encoding="utf-8")


class TestCode:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_every_block_of_python_is_a_file_or_a_signature(self, page: Path) -> None:
        blocks = re.findall(r"^```python\n(.*?)\n```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        odd = [block for block in blocks if not re.match(r"# \S+\.py\n|storegate_\w+\(.*\) -> \S+\Z", block)]
        assert odd == []

    def test_the_code_of_all_pages_runs(self, tmp_path: Path) -> None:
        """Modules that implement a hook are made to look installed; then all tests of the pages are run."""
        written: dict[str, str] = {}
        for page in PAGES:
            if page != FIRST:
                own = files(page)
                assert not written.keys() & own.keys(), f"{page.name}: another page has a file of this name"
                written |= own
        for name, text in written.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        plugins = [Path(name).stem for name, text in written.items() if "@storegate.hookimpl" in text]
        info = tmp_path / "storegate_pages-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: storegate-pages\nVersion: 1.0\n")
        entries = "".join(f"{name} = {name}\n" for name in plugins)
        (info / "entry_points.txt").write_text(f"[storegate]\n{entries}")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir=."]
        environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
        done = subprocess.run([*command, "."], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(plugins) == len(HOOKS)

    def test_the_first_plugin_is_the_example(self) -> None:
        """The example itself is built, installed and queried in tests/packaging."""
        found = [path for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".toml")]
        example = {str(path.relative_to(EXAMPLE)): path.read_text(encoding="utf-8") for path in found}
        assert files(FIRST) == example


@pytest.mark.parametrize("name", [*(found.__name__ for found in KINDS_OF_THINGS), "Provider", "PluginContext"])
def test_the_docstring_of_what_authors_write_has_an_example(name: str) -> None:
    text = getattr(storegate, name).__doc__ or ""
    (example,) = re.findall(r"\n\n((?: {8}.*\n)+)", text)
    ast.parse(textwrap.dedent(example))


def test_the_names_of_the_api_are_those_of_its_version() -> None:
    """A name that is gone is a new major version of `API_VERSION`, one that is new a minor one."""
    page = (FOLDER / "versioning.md").read_text(encoding="utf-8")
    (names,) = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert names.split() == sorted(storegate.__all__)
    assert f"**{storegate.API_VERSION}**" in page
