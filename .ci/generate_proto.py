"""Generate the modules of `proto/` from its .proto files (tox env `proto`); `--check` compares instead of writing."""

from __future__ import annotations

import importlib.resources
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent / "proto"


def generate(target: Path) -> list[Path]:
    """Write the modules below `target`; their paths relative to it."""
    sources = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.proto"))
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    outputs = [f"--{kind}_out={target}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(["protoc", f"-I{ROOT}", f"-I{well_known}", *outputs, *sources]):
        raise SystemExit("protoc failed")
    return sorted(path.relative_to(target) for path in target.rglob("*_pb2*"))


def stale(fresh: Path) -> list[str]:
    """Committed modules that differ from those below `fresh`, or are on one side only."""
    made = {path: (fresh / path).read_bytes() for path in generate(fresh)}
    kept = {path.relative_to(ROOT): path.read_bytes() for path in ROOT.rglob("*_pb2*.py*") if path.suffix != ".pyc"}
    return sorted(str(path) for path in made.keys() | kept.keys() if made.get(path) != kept.get(path))


def main() -> None:
    if "--check" not in sys.argv:
        generate(ROOT)
        return
    with tempfile.TemporaryDirectory() as folder:
        different = stale(Path(folder))
    if different:
        raise SystemExit(f"not what the .proto files give, run 'tox -e proto': {', '.join(different)}")


if __name__ == "__main__":
    main()
