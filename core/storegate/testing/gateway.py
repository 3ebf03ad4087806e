"""A started gateway in the process of a test, over a folder of blocks or over the store of the plugin under test.

    pytest_plugins = ["storegate.testing.fixtures"]    # in conftest.py: gives the fixture `start_gateway`

    def test_cold_blocks_are_served(tmp_path, start_gateway):
        write_block(tmp_path, [({"__name__": "up"}, [(1000, 1.0)])])
        served = start_gateway(tmp_path, meta_filters=[{"type": "acme-cold-blocks", "config": {"older_than": "90d"}}])
        assert served.samples(__name__="up") == {(("__name__", "up"),): [(1000, 1.0)]}

Plugins are found as ever: the one under test must be installed.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storegate.block.status import BlockStatus
from storegate.config.settings import Settings
from storegate.config.validation import check
from storegate.gateway import Gateway
from storegate.query.call import Call
from storegate.query.request import LabelMatcher, LabelValuesRequest, MatchType, SeriesRequest
from storegate.testing.chunks import Sample, decode_chunk

ALL_TIME = (-(2**53), 2**53)  # ms
XOR = 1
LabelPairs = tuple[tuple[str, str], ...]

HTTP = {"type": "http", "config": {"address": "127.0.0.1:0"}}
GRPC = {"type": "grpc", "config": {"address": "127.0.0.1:0"}}
"""Front ends on free loopback ports, for `frontends`; `StartedGateway.address` says which."""


class StartedGateway:
    """A gateway that is ready, and what tests ask it."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def series(self, *matchers: LabelMatcher, **equal: str) -> list[LabelPairs]:
        """The label sets of what matches, in the order of the answer; `up=""` and matchers are as in PromQL."""
        return [labels for labels, _ in self._answer((*matchers, *_equal(equal)), skip_chunks=True)]

    def samples(self, *matchers: LabelMatcher, **equal: str) -> dict[LabelPairs, list[Sample]]:
        """The raw samples of what matches, (ms, value), by label set."""
        return dict(self._answer((*matchers, *_equal(equal)), skip_chunks=False))

    def label_values(self, label: str) -> list[str]:
        """All values of a label, sorted."""
        low, high = ALL_TIME
        return self.gateway.label_values(LabelValuesRequest(label=label, start=low, end=high), Call()).values

    def blocks(self) -> list[BlockStatus]:
        """What became of every block of the bucket."""
        return self.gateway.blocks()

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of a metric now; None when there is no such sample."""
        return self.gateway.registry.get_sample_value(name, labels)

    def address(self, frontend: str) -> str:
        """`host:port` of a front end, by its type."""
        return self.gateway.addresses[frontend]

    def get_json(self, path: str) -> Any:
        """A JSON document of the front end `http`."""
        with urllib.request.urlopen(f"http://{self.address('http')}{path}", timeout=10) as answer:
            return json.load(answer)

    def _answer(
        self, matchers: tuple[LabelMatcher, ...], *, skip_chunks: bool
    ) -> Iterator[tuple[LabelPairs, list[Sample]]]:
        from storegate_proto.store.storepb.rpc_pb2 import SeriesResponse  # generated code: a client's, not the core's

        low, high = ALL_TIME
        request = SeriesRequest(min_time=low, max_time=high, matchers=matchers, skip_chunks=skip_chunks)
        stream = self.gateway.series(request, Call())
        try:
            for message in (SeriesResponse.FromString(frame) for frames in stream for frame in frames):
                if message.HasField("series"):
                    labels = tuple((label.name, label.value) for label in message.series.labels)
                    chunks = [chunk.raw for chunk in message.series.chunks]
                    yield labels, [sample for raw in chunks for sample in decode_chunk(raw.type + XOR, raw.data)]
        finally:
            stream.close()


@contextmanager
def started_gateway(bucket: Path | Mapping[str, Any], **settings: Any) -> Iterator[StartedGateway]:
    """A gateway that is ready to answer, stopped in the end.

    `bucket` is a folder of blocks, or the setting `object_store`. `settings` are those of `storegate.yml`; there are no
    front ends unless these say so, and no files are written. Raises ConfigurationError for wrong settings, PluginError
    when a plugin cannot be used, and what the first sync raises.
    """
    folder = {"type": "FILESYSTEM", "config": {"directory": str(bucket)}}
    given = {
        "object_store": folder if isinstance(bucket, Path) else bucket,
        "cache_index_header": False,
        "frontends": [],
        **settings,
    }
    gateway = Gateway(check(Settings, given, source="started_gateway"))
    try:
        gateway.start()
        yield StartedGateway(gateway)
    finally:
        gateway.stop(0.0)


def _equal(labels: Mapping[str, str]) -> Iterator[LabelMatcher]:
    for name, value in labels.items():
        yield LabelMatcher(MatchType.EQ, name, value)
