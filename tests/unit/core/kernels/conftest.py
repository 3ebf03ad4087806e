"""Both forms of the kernels: the compiled extensions, and the same files as plain Python."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import storegate.kernels
from storegate.kernels import ACCELERATED

NAMES = (
    "hashing", "postings", "table", "series", "labels", "merge", "plan", "chunks", "frames", "audit",
    "decode", "order", "encode", "remote", "remote_samples",
)  # fmt: skip
"""Each stands behind those that it imports."""


def load_plain() -> SimpleNamespace:
    """The kernels as plain Python, whatever form `storegate.kernels` has."""
    folder = Path(storegate.kernels.__path__[0])
    before = {f"storegate.kernels.{name}": sys.modules[f"storegate.kernels.{name}"] for name in NAMES}
    found: dict[str, ModuleType] = {}
    try:
        for name in NAMES:
            spec = importlib.util.spec_from_file_location(f"storegate.kernels.{name}", folder / f"{name}.py")
            assert spec is not None
            assert spec.loader is not None
            module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            found[name] = module
    finally:
        sys.modules.update(before)
    return SimpleNamespace(**found)


@pytest.fixture(scope="session", params=["compiled", "plain"] if ACCELERATED else ["plain"])
def kernels(request: pytest.FixtureRequest) -> SimpleNamespace:
    """The kernel modules by name, in one form."""
    if request.param == "plain":
        return load_plain()
    return SimpleNamespace(**{name: getattr(storegate.kernels, name) for name in NAMES})
