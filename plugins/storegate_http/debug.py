"""Profiles under `/debug/pprof/` and `/debug/fgprof`, for `go tool pprof`, flame graphs and the eye (operations 4)."""

from __future__ import annotations

import asyncio
import gc
import math
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from storegate.profiling import heap, sampler, threads
from storegate.profiling.pprof import encode
from storegate.profiling.profile import Profile, collapsed, top
from storegate_http.background import on_own_thread

DEFAULT_SECONDS = 30.0
MAX_SECONDS = 300.0
TOP_LINES = 100

Endpoint = Callable[[Request], Awaitable[Response]]
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Profiles</title></head>
<body>
<h1>Profiles</h1>
<p>Without further words a profile is in the format of <code>go tool pprof</code>.</p>
<ul>
<li><a href="profile?seconds=30">profile</a>: CPU time of 30 s by calls;
<a href="profile?seconds=5&amp;format=collapsed">as collapsed stacks</a> for flame graphs</li>
<li><a href="../fgprof?seconds=30">fgprof</a>: time of 30 s by calls, waiting included</li>
<li><a href="goroutine?debug=2">goroutine</a>: the stacks of all threads and asyncio tasks;
<a href="goroutine?debug=1">grouped</a></li>
<li><a href="heap?debug=1">heap</a>: objects by type and the memory of the process;
<a href="heap?seconds=10">memory that is taken within 10 s</a>, which slows the program down meanwhile</li>
</ul>
</body>
</html>
"""


class Debug:
    """The endpoints. One profile is taken at a time; it ends early when the client goes away or the server stops."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._stop = threading.Event()  # of the profile that is being taken

    def pages(self) -> dict[str, Endpoint]:
        """Endpoints by path."""
        return {
            "/debug/pprof/": self.index,
            "/debug/pprof/profile": self.cpu,
            "/debug/fgprof": self.wall,
            "/debug/pprof/goroutine": self.threads,
            "/debug/pprof/threadcreate": self.threads,
            "/debug/pprof/heap": self.heap,
            "/debug/pprof/allocs": self.heap,
            "/debug/pprof/block": self.absent,
            "/debug/pprof/mutex": self.absent,
        }

    def close(self) -> None:
        """End the profile that is being taken."""
        self._stop.set()

    async def index(self, request: Request) -> Response:
        return HTMLResponse(PAGE)

    async def cpu(self, request: Request) -> Response:
        seconds = _seconds(request) or DEFAULT_SECONDS
        return await self._taken(request, "profile", lambda stop: sampler.cpu_profile(seconds, stop))

    async def wall(self, request: Request) -> Response:
        seconds = _seconds(request) or DEFAULT_SECONDS
        return await self._taken(request, "fgprof", lambda stop: sampler.wall_profile(seconds, stop))

    async def threads(self, request: Request) -> Response:
        level = _debug_level(request)
        if level >= 2:
            return PlainTextResponse(await asyncio.to_thread(threads.all_stacks))
        if level == 1:
            return PlainTextResponse(await asyncio.to_thread(threads.grouped_stacks))
        return _file(encode(await asyncio.to_thread(threads.thread_profile)), "goroutine")

    async def heap(self, request: Request) -> Response:
        seconds = _seconds(request)
        if request.query_params.get("gc", "0") not in ("", "0"):
            await asyncio.to_thread(gc.collect)
        if seconds:
            return await self._taken(request, "heap", lambda stop: heap.new_memory(seconds, stop))
        return await self._taken(request, "heap", lambda _: heap.traced_profile() or heap.census())

    async def absent(self, request: Request) -> Response:
        return PlainTextResponse(
            "There is no such profile of a Python program; fgprof shows what threads wait for", 404
        )

    async def _taken(self, request: Request, name: str, take: Callable[[threading.Event], Profile]) -> Response:
        """Take a profile on a thread of its own. 429 while another is being taken."""
        write = _writer(request, name)
        if not self._busy.acquire(blocking=False):
            raise HTTPException(429, "Another profile is being taken", {"Retry-After": "10"})
        self._stop = stop = threading.Event()

        def work() -> Response:
            try:
                return write(take(stop))
            finally:
                self._busy.release()

        taken = on_own_thread("profiler", work)
        gone: asyncio.Future[Any] = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait({gone, taken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            gone.cancel()
        return await taken


def _writer(request: Request, name: str) -> Callable[[Profile], Response]:
    """How the request wants its profile."""
    form = request.query_params.get("format", "pprof")
    if form in ("collapsed", "folded"):
        return lambda profile: PlainTextResponse(collapsed(profile))
    if form != "pprof":
        raise HTTPException(400, "format must be pprof or collapsed")
    if _debug_level(request) > 0:
        return lambda profile: PlainTextResponse(_table(profile))
    return lambda profile: _file(encode(profile), name)


def _table(profile: Profile) -> str:
    lines = [f"# {name}: {value}" for name, value in heap.process_memory().items()]
    lines.append("\t".join(name for name, _ in profile.kinds))
    for stack, thread, _ in top(profile, TOP_LINES):
        values = profile.samples[(stack, thread)]
        lines.append("\t".join([*map(str, values), " < ".join(frame.function for frame in stack[:8])]))
    return "\n".join(lines) + "\n"


def _file(body: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.pb.gz"', "X-Content-Type-Options": "nosniff"}
    return Response(body, media_type="application/octet-stream", headers=headers)


def _seconds(request: Request) -> float:
    """What the client asks for; 0 when it does not say."""
    text = request.query_params.get("seconds", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= MAX_SECONDS:
        raise HTTPException(400, f"seconds must be a number up to {MAX_SECONDS:g}")
    return seconds


def _debug_level(request: Request) -> int:
    text = request.query_params.get("debug", "0")
    return int(text) if text.isdecimal() and len(text) < 4 else 0


async def _disconnected(request: Request) -> None:
    message: Any = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await request.receive()
