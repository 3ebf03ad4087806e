"""One client: sends a request as bytes, takes frames as bytes, decodes nothing."""

from __future__ import annotations

import time

import grpc

from storegate_proto.store.storepb import rpc_pb2, types_pb2

METHOD = "/thanos.Store/Series"
MATCH = {"=": types_pb2.LabelMatcher.EQ, "=~": types_pb2.LabelMatcher.RE}
ALWAYS = (1 - 2**40, 2**50)


class Client:
    """A channel of its own to one server."""

    def __init__(self, address: str) -> None:
        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.insecure_channel(address, options=options)
        self._call = self._channel.unary_stream(METHOD)

    def frames(self, request: bytes) -> list[bytes]:
        """The whole answer."""
        return list(self._call(request))

    def time(self, request: bytes) -> float:
        """Seconds until the last frame is there."""
        started = time.perf_counter()
        for _ in self._call(request):
            pass
        return time.perf_counter() - started

    def slowly(self, request: bytes, pause: float) -> int:
        """Read with a pause after each frame; the bytes that came."""
        size = 0
        for frame in self._call(request):
            size += len(frame)
            time.sleep(pause)
        return size

    def close(self) -> None:
        self._channel.close()


def series_request(
    matchers: list[tuple[str, str, str]], *, batch: int = 64, skip_chunks: bool = False, limit: int = 0
) -> bytes:
    """An encoded SeriesRequest over all time."""
    request = rpc_pb2.SeriesRequest(
        min_time=ALWAYS[0], max_time=ALWAYS[1], response_batch_size=batch, skip_chunks=skip_chunks, limit=limit
    )
    for name, operator, value in matchers:
        request.matchers.add(type=MATCH[operator], name=name, value=value)
    data: bytes = request.SerializeToString()
    return data
