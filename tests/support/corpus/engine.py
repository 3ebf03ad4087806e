"""A gateway in the process of the test, asked past its transport, which takes most of the time of a corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from corpus.recorded import Answer, info_answer, labels_answer, message, recorded_requests, series_answer
from storegate.cli.flag_options import given_flags
from storegate.cli.store import store
from storegate.config.flags import configure
from storegate.errors import StoregateError
from storegate.gateway import Gateway
from storegate.manager import PluginManager
from storegate.query.call import Call
from storegate_grpc import answers, requests
from storegate_grpc.codes import series_status, unary_status
from storegate_proto.info.infopb import rpc_pb2 as info_pb2
from storegate_proto.store.storepb import rpc_pb2


class Engine:
    """Answers requests of the corpus, with the front end's own reading and writing of messages."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._methods: dict[str, Callable[[bytes], Answer]] = {
            "Series": self._series,
            "LabelNames": self._label_names,
            "LabelValues": self._label_values,
        }

    def ask(self, case: str) -> Answer:
        """The answer in the corpus' own form; an error is an answer too."""
        entry = recorded_requests()["requests"][case]
        method = entry["method"]
        try:
            return self._methods[method](message(method, entry["request"]).SerializeToString())
        except StoregateError as error:
            code, text = (series_status if method == "Series" else unary_status)(error)
            return {"code": code.name, "message": text}

    def info(self) -> Answer:
        return info_answer(info_pb2.InfoResponse.FromString(answers.info(self.gateway.info())))

    def _series(self, data: bytes) -> Answer:
        request, _ = requests.series_request(data)
        with closing(self.gateway.series(request, Call())) as stream:
            return series_answer(rpc_pb2.SeriesResponse.FromString(frame) for frames in stream for frame in frames)

    def _label_names(self, data: bytes) -> Answer:
        answer = answers.label_names(self.gateway.label_names(requests.label_names_request(data), Call()))
        return labels_answer(rpc_pb2.LabelNamesResponse.FromString(answer))

    def _label_values(self, data: bytes) -> Answer:
        answer = answers.label_values(self.gateway.label_values(requests.label_values_request(data), Call()))
        return labels_answer(rpc_pb2.LabelValuesResponse.FromString(answer))


@contextmanager
def running_engine(flags: Sequence[str], plugins: PluginManager) -> Iterator[Engine]:
    """A gateway with the settings that the flags of `storegate store` give, but without front ends."""
    with store.make_context("store", list(flags)) as context:
        given: dict[str, Any] = given_flags(context.params)
    settings = configure(given).settings.model_copy(update={"frontends": ()})
    gateway = Gateway(settings, plugins, given)
    gateway.start()
    try:
        yield Engine(gateway)
    finally:
        gateway.stop(0.0)
