"""The transport floor: a bare grpcio server that streams ready-made frames. floor.py FRAMES sync|aio

FRAMES holds recorded answers: for each, its name, and its frames, each behind a length. A request's bytes are the name
of an answer. Prints the port.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

METHOD = "/thanos.Store/Series"
OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)]


def load(path: Path) -> dict[bytes, list[bytes]]:
    """Answers by name."""
    data = path.read_bytes()
    answers: dict[bytes, list[bytes]] = {}
    at = 0

    def number() -> int:
        nonlocal at
        at += 8
        return int.from_bytes(data[at - 8 : at], "little")

    def piece() -> bytes:
        nonlocal at
        length = number()
        at += length
        return data[at - length : at]

    while at < len(data):
        name = piece()
        answers[name] = [piece() for _ in range(number())]
    return answers


def store(path: Path, answers: dict[bytes, list[bytes]]) -> None:
    """The opposite of `load`."""
    with path.open("wb") as file:
        for name, frames in answers.items():
            file.write(len(name).to_bytes(8, "little") + name + len(frames).to_bytes(8, "little"))
            for frame in frames:
                file.write(len(frame).to_bytes(8, "little") + frame)


def handler(function: Any) -> grpc.GenericRpcHandler:
    service, method = METHOD[1:].split("/")
    return grpc.method_handlers_generic_handler(service, {method: grpc.unary_stream_rpc_method_handler(function)})


def serve_sync(answers: dict[bytes, list[bytes]]) -> None:
    def series(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        return iter(answers[request])

    server = grpc.server(ThreadPoolExecutor(32), options=OPTIONS)
    server.add_generic_rpc_handlers((handler(series),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


async def serve_aio(answers: dict[bytes, list[bytes]]) -> None:
    async def series(request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        for frame in answers[request]:
            await context.write(frame)

    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((handler(series),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    frames = load(Path(sys.argv[1]))
    if sys.argv[2] == "sync":
        serve_sync(frames)
    else:
        asyncio.run(serve_aio(frames))
