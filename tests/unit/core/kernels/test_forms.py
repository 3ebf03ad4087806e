"""Which form of the kernels is there, and that the plain one needs neither a compiler nor Cython."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import storegate.kernels
from storegate.kernels import ACCELERATED, explain

WITHOUT_CYTHON = """
import sys
from importlib.util import spec_from_file_location

class PlainFinder:
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("cython", "Cython"):
            raise ModuleNotFoundError(f"{name} is hidden", name=name)
        package, _, last = name.rpartition(".")
        return spec_from_file_location(name, f"{path[0]}/{last}.py") if package == "storegate.kernels" else None

sys.meta_path.insert(0, PlainFinder())

from pathlib import Path
from storegate.config.settings import Settings
from storegate.gateway import Gateway
from storegate.kernels import ACCELERATED
from storegate.query.call import Call
from storegate.query.request import LabelMatcher, SeriesRequest
from storegate.testing import obvious_series, read_block, write_block
from storegate_proto.store.storepb.rpc_pb2 import SeriesResponse

assert not ACCELERATED
bucket = Path(sys.argv[1]) / "bucket"
samples = [(t, float(t % 7)) for t in range(0, 30000, 100)]
series = [({"__name__": "up", "pod": f"p-{i}"}, samples) for i in range(5)]
blocks = [read_block(bucket / write_block(bucket, series, external_labels={"replica": r}).ulid) for r in "ab"]
settings = Settings.model_validate({
    "object_store": {"type": "FILESYSTEM", "config": {"directory": str(bucket)}},
    "data_dir": bucket.parent / "data", "frontends": [], "meta_filters": [],
})
gateway = Gateway(settings)
gateway.start()
request = SeriesRequest(
    min_time=0, max_time=30000, matchers=(LabelMatcher(2, "pod", "p-.*[1-3]"),), without_replica_labels=("replica",)
)
stream = gateway.series(request, Call())
found = [SeriesResponse.FromString(frame).series for frames in stream for frame in frames]
stream.close()
gateway.stop(0)
expected = obvious_series(blocks, request)
assert [tuple((l.name, l.value) for l in s.labels) for s in found] == [s.labels for s in expected]
assert [[c.raw.data for c in s.chunks] for s in found] == [[c.aggregates["raw"][1] for c in s.chunks] for s in expected]
print(len(found), "series")
"""


def test_the_extensions_are_there_where_they_are_required():
    assert ACCELERATED or not os.environ.get("STOREGATE_REQUIRE_EXTENSIONS")


def test_the_kernels_of_a_test_are_all_of_one_form(kernels):
    plain = [str(module.__file__).endswith(".py") for module in vars(kernels).values()]
    assert all(plain) or not any(plain)


def arguments(path):
    """The arguments of each public function of a file, by name."""
    found = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    names = {node.name: [argument.arg for argument in node.args.args] for node in found}
    return {name: given for name, given in names.items() if name[0] != "_" and not name.endswith("_at")}


def test_the_stubs_have_the_functions_and_arguments_of_the_kernels():
    folder = Path(storegate.kernels.__path__[0])
    stubs = sorted(folder.glob("*.pyi"))
    assert [arguments(stub) for stub in stubs] == [arguments(stub.with_suffix(".py")) for stub in stubs]
    assert len(stubs) == 15


def test_explain_has_words_for_an_unknown_status():
    assert (explain(1), explain(99)) == ("a varint is cut off or too long", "unknown damage 99")


def test_without_cython_and_extensions_a_query_gives_the_same_answer(tmp_path):
    arguments = [sys.executable, "-c", WITHOUT_CYTHON, str(tmp_path)]
    done = subprocess.run(arguments, capture_output=True, encoding="utf-8", timeout=60)
    assert done.stdout.endswith("\n3 series\n"), done.stderr
