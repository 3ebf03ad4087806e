"""The example plugin as a third party ships it: a wheel, installed with pip beside the wheel of storegate.

The virtual environment is fresh. Dependencies are those of the environment that runs the tests, which is on its path
behind its own packages: what is shown is about these two wheels.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from storegate.testing import write_block
from storegate_proto.store.storepb.rpc_pb2 import LabelValuesRequest, SeriesRequest
from storegate_proto.store.storepb.rpc_pb2_grpc import StoreStub
from storegate_proto.store.storepb.types_pb2 import LabelMatcher

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs/examples/storegate-example"
DAY = 86_400_000  # ms


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    folder: Path

    @property
    def storegate(self) -> str:
        return str(self.folder / "bin" / "storegate")

    def run(self, *command: str | Path, cwd: Path | None = None) -> str:
        """What a command of the environment writes; it must succeed."""
        program, *arguments = command
        unset = {"PYTHONPATH", "PYTHONHOME", "STOREGATE_PLUGINS_ALLOW", "STOREGATE_PLUGINS_DISABLE"}
        environ = {name: value for name, value in os.environ.items() if name not in unset}
        return run([str(self.folder / "bin" / program), *map(str, arguments)], cwd=cwd, env=environ)


def run(command: Sequence[str], **more: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build_wheel(project: Path, target: Path) -> Path:
    environ = {name: value for name, value in os.environ.items() if name != "STOREGATE_REQUIRE_EXTENSIONS"}
    environ["STOREGATE_NO_EXTENSIONS"] = "1"  # compiling takes a minute, and has tests of its own
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)], cwd=project, env=environ)
    (wheel,) = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("third-party")
    example = folder / "example"
    shutil.copytree(EXAMPLE, example, ignore=shutil.ignore_patterns("__pycache__"))
    wheels = [build_wheel(ROOT, folder / "host"), build_wheel(example, folder / "wheels")]
    venv.create(folder / "venv", symlinks=True)
    made = Environment(folder / "venv")
    python = str(made.folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    run([*pip, *map(str, wheels)])
    packages = Path(made.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return made


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An old block and a young one."""
    folder = tmp_path_factory.mktemp("bucket")
    now = time.time_ns() // 1_000_000
    for age, end in (("old", now - 3 * DAY), ("young", now - 1000)):
        write_block(folder, [({"__name__": "up", "age": age}, [(end, 1.0)])])
    return folder


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("configuration") / "storegate.yml"
    path.write_text("meta_filters: [{type: example-cold-blocks, config: {older_than: 1d}}]\n")
    return path


def test_storegate_comes_from_the_wheel(environment: Environment) -> None:
    out = environment.run(
        "python", "-c", "import storegate, storegate_example as e; print(storegate.__file__, e.__file__)"
    )
    assert all(path.startswith(str(environment.folder)) for path in out.split())


def test_it_is_found(environment: Environment) -> None:
    entries = json.loads(environment.run("storegate", "plugins", "list", "--json"))
    (found,) = [entry for entry in entries if entry["name"] == "example-cold-blocks"]
    assert (found["distribution"], found["version"], found["state"]) == ("storegate-example", "1.0.0", "available")


def test_it_is_configured(environment: Environment, configuration: Path, bucket: Path) -> None:
    store = f"--objstore.config={{type: FILESYSTEM, config: {{directory: {bucket}}}}}"
    out = environment.run("storegate", "plugins", "check", f"--config={configuration}", store)
    assert "example-cold-blocks of storegate-example 1.0.0" in out


def test_it_is_queried_through(environment: Environment, configuration: Path, bucket: Path, start_store: Any) -> None:
    with start_store(bucket, [f"--config={configuration}"], program=[environment.storegate]) as store:
        with grpc.insecure_channel(store.grpc_address) as channel:
            stub = StoreStub(channel)
            end = time.time_ns() // 1_000_000
            values = stub.LabelValues(LabelValuesRequest(label="age", start=0, end=end)).values
            matcher = LabelMatcher(name="__name__", value="up")
            frames = list(stub.Series(SeriesRequest(min_time=0, max_time=end, matchers=[matcher])))
        assert list(values) == ["old"]
        assert [[label.value for label in frame.series.labels] for frame in frames if frame.HasField("series")] == [
            ["up", "old"]
        ]


def test_its_own_tests_pass_there(environment: Environment, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(EXAMPLE / "pyproject.toml", tmp_path)
    environment.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
