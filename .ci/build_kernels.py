"""Hatchling hook: compile every kernel of `core/storegate/kernels` to an extension beside its `.py`.

A kernel is a Cython "pure Python mode" file: the same source runs uncompiled. An interpreter prefers the extension when
both are there, so the hook decides which form an installation uses. Environment variables:

    STOREGATE_NO_EXTENSIONS=1       compile nothing: a `py3-none-any` wheel
    STOREGATE_REQUIRE_EXTENSIONS=1  a failure ends the build (releases, CI); otherwise it warns and the wheel is pure
    STOREGATE_SANITIZE=address      build with AddressSanitizer and debug symbols

Run as a script (`python .ci/build_kernels.py`), it rebuilds the kernels of an editable checkout in place.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE_ROOT = "core"
PACKAGE = Path("storegate/kernels")
NOT_KERNELS = {"__init__.py", "_cython.py", "bits.py", "wire.py"}  # a stand-in for `cython`; plain forms of .pxd


def kernel_sources(root: Path) -> list[Path]:
    """The kernels below `root`, as paths relative to the source root."""
    folder = root / SOURCE_ROOT / PACKAGE
    return sorted(PACKAGE / path.name for path in folder.glob("*.py") if path.name not in NOT_KERNELS)


def compile_kernels(root: Path, sources: list[Path]) -> dict[Path, Path]:
    """Compile into a temporary folder: {built library: its place relative to the source root}."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    flags, link = compiler_flags()
    work = Path(tempfile.mkdtemp(prefix="storegate-kernels-"))
    extensions = [
        Extension(".".join(path.with_suffix("").parts), [str(path)], extra_compile_args=flags, extra_link_args=link)
        for path in sources
    ]
    before = Path.cwd()
    os.chdir(root / SOURCE_ROOT)  # module names, and the .pxd files beside the kernels, are found from here
    try:
        modules = cythonize(extensions, build_dir=str(work / "c"), quiet=True, language_level=3)  # type: ignore[no-untyped-call]
        command = Distribution({"name": "storegate", "ext_modules": modules}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(work / "lib"), str(work / "obj")
        command.parallel = os.cpu_count()
        command.ensure_finalized()
        command.run()
    finally:
        os.chdir(before)
    return {path: path.relative_to(work / "lib") for path in sorted((work / "lib").rglob("*.so"))}


def compiler_flags() -> tuple[list[str], list[str]]:
    sanitizer = os.environ.get("STOREGATE_SANITIZE")
    if sanitizer:
        return ["-O1", "-g", "-fno-omit-frame-pointer", f"-fsanitize={sanitizer}"], [f"-fsanitize={sanitizer}"]
    return ["-O3", "-g0"], []


def place_beside_sources(root: Path, built: dict[Path, Path]) -> None:
    """Put libraries into the checkout. A mapped library is replaced, never truncated: running processes keep theirs."""
    remove_beside_sources(root)
    for library, place in built.items():
        target = root / SOURCE_ROOT / place
        fresh = target.with_name(target.name + ".new")
        fresh.write_bytes(library.read_bytes())
        fresh.chmod(0o755)
        fresh.replace(target)


def remove_beside_sources(root: Path) -> None:
    for stale in (root / SOURCE_ROOT / PACKAGE).glob("*.so"):
        stale.unlink()


class KernelHook(BuildHookInterface[Any]):
    """What hatchling calls for each wheel, editable ones included."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        sources = kernel_sources(root)
        if not sources or os.environ.get("STOREGATE_NO_EXTENSIONS"):
            if version == "editable":
                remove_beside_sources(root)
            return
        try:
            built = compile_kernels(root, sources)
        except (Exception, SystemExit) as error:
            if os.environ.get("STOREGATE_REQUIRE_EXTENSIONS"):
                raise
            self.app.display_warning(f"kernels not compiled, the installation will be slow: {error}")
            return
        if version == "editable":
            place_beside_sources(root, built)
        else:
            build_data["force_include"].update({str(library): str(place) for library, place in built.items()})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


if __name__ == "__main__":
    checkout = Path(__file__).resolve().parent.parent
    libraries = compile_kernels(checkout, kernel_sources(checkout))
    place_beside_sources(checkout, libraries)
    sys.stdout.write("".join(f"built {SOURCE_ROOT}/{place}\n" for place in libraries.values()))
