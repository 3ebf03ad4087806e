"""The floor of HTTP: uvicorn with a bare application that sends ready-made bodies. http_floor.py BODIES

BODIES holds recorded answers (`floor.store`): for each, its name, and its pieces. A request's body is the name of an
answer. Prints the port.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import floor
import uvicorn

from storegate.listen import open_listener

PIECE = 1 << 20
HEADERS = [(b"content-type", b"application/octet-stream")]


class Replay:
    """Answers a request with the pieces that belong to its body."""

    def __init__(self, answers: dict[bytes, list[bytes]]) -> None:
        self._answers = answers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name = b""
        while True:
            message = await receive()
            name += message.get("body", b"")
            if not message.get("more_body", False):
                break
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        for piece in self._answers[name]:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def main(path: Path) -> None:
    listener = open_listener("127.0.0.1:0", "floor")
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(Replay(floor.load(path)), log_config=None, access_log=False, lifespan="off", loop="asyncio")
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
