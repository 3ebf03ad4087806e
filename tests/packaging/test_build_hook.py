"""The wheel in its four forms, built from a copy of the project with one small kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KERNEL = """
import cython


@cython.ccall
def plus_one(number: cython.long) -> cython.long:
    return number + 1
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore", ".ci/build_kernels.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    kernels = folder / "core/storegate/kernels"
    kernels.mkdir(parents=True)
    (folder / "core/storegate/__init__.py").touch()
    (kernels / "__init__.py").touch()
    (kernels / "tiny.py").write_text(KERNEL)
    (kernels / "left.cpython-311-x86_64-linux-gnu.so").write_bytes(b"left by an editable install")
    for root in ("plugins", "proto"):
        (folder / root / f"storegate_{root}").mkdir(parents=True)
        (folder / root / f"storegate_{root}" / "__init__.py").touch()
    return folder


def build(project: Path, **environment: str) -> tuple[int, Path | None, str]:
    """(exit code, wheel, output) of a build."""
    unset = {"STOREGATE_NO_EXTENSIONS", "STOREGATE_REQUIRE_EXTENSIONS", "STOREGATE_SANITIZE"}
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=project,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, next((project / "dist").glob("*.whl"), None), done.stdout + done.stderr


def kernels_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("storegate/kernels/")]
    return sorted(name.removeprefix("storegate/kernels/").partition(".")[0] + Path(name).suffix for name in names)


def test_a_wheel_holds_each_kernel_compiled_and_as_source(project: Path) -> None:
    code, wheel, output = build(project, STOREGATE_REQUIRE_EXTENSIONS="1")
    assert code == 0, output
    assert wheel is not None
    assert not wheel.name.endswith("none-any.whl")
    assert kernels_in(wheel) == ["__init__.py", "tiny.py", "tiny.so"]


def test_without_extensions_the_wheel_is_pure(project: Path) -> None:
    _, wheel, _ = build(project, STOREGATE_NO_EXTENSIONS="1")
    assert wheel is not None
    assert wheel.name.endswith("py3-none-any.whl")
    assert kernels_in(wheel) == ["__init__.py", "tiny.py"]


def test_without_a_compiler_the_wheel_is_pure_and_the_build_warns(project: Path) -> None:
    code, wheel, output = build(project, CC="/bin/false")
    assert code == 0
    assert wheel is not None
    assert wheel.name.endswith("py3-none-any.whl")
    assert "kernels not compiled" in output


def test_a_failure_is_fatal_where_extensions_are_required(project: Path) -> None:
    code, wheel, _ = build(project, CC="/bin/false", STOREGATE_REQUIRE_EXTENSIONS="1")
    assert (code != 0, wheel) == (True, None)
