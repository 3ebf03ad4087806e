"""The HTTP API under `/api/v1/` (operations 4.1 to 4.3)."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import resource
import threading
import time
from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

import yaml
from starlette.requests import Request
from starlette.responses import Response

from storegate.config.masking import masked_settings
from storegate.errors import InvalidRequestError, StoregateError
from storegate.logs import timestamp
from storegate_http.background import on_own_thread
from storegate_http.blocks_json import global_view, loaded_view
from storegate_http.forms import form_fields

if TYPE_CHECKING:
    from storegate.gateway import Gateway

STATUSES: Mapping[str, int] = {"bad_data": 400, "execution": 422, "canceled": 503, "timeout": 503, "internal": 500}

MARKS_AT_ONCE = 4  # a bucket that does not answer keeps each of them waiting for long


class Api:
    """The endpoints. Those that are not async are run on worker threads: they make long texts."""

    def __init__(self, gateway: Gateway, log: Any) -> None:
        self._gateway = gateway
        self._log = log
        self._started = time.time_ns()
        self._marking = asyncio.Semaphore(MARKS_AT_ONCE)

    def blocks(self, request: Request) -> Response:
        label = self._gateway.settings.web.group_label
        if request.query_params.get("view") == "loaded":
            return success(loaded_view(self._gateway.chosen_blocks(), label))
        return success(global_view(label))

    async def mark(self, request: Request) -> Response:
        """A page of another site must not mark blocks with the rights of a browser that looks at it."""
        if _from_another_site(request):
            return failure("bad_data", "blocks cannot be marked from the page of another site")
        try:
            form = await form_fields(request)
            arguments = (form.get("id", ""), form.get("action", ""), form.get("detail", ""))
            async with self._marking:
                await on_own_thread("mark", lambda: self._gateway.mark_block(*arguments))
        except InvalidRequestError as error:
            return failure("bad_data", str(error))
        except StoregateError as error:
            self._log.error("marking a block failed", err=error)
            return failure("bad_data", str(error))
        except ValueError as error:
            return failure("bad_data", str(error))
        return Response(status_code=204)

    def plugins(self, request: Request) -> Response:
        """Not in the reference: installed providers, and what fills each place of the pipeline."""
        return success(self._gateway.plugin_report())

    def flags(self, request: Request) -> Response:
        return success(self._gateway.flags)

    def config(self, request: Request) -> Response:
        """Not in the reference: the settings in force, secrets left out."""
        settings = masked_settings(self._gateway.settings, self._gateway.plugins)
        return success({"yaml": yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)})

    def runtime(self, request: Request) -> Response:
        """The keys are those of a Go program; the values come as near as they can."""
        return success(
            {
                "startTime": timestamp(self._started),
                "CWD": os.getcwd(),
                "goroutineCount": threading.active_count(),
                "GOMAXPROCS": len(os.sched_getaffinity(0)),
                "GOGC": "",
                "GODEBUG": "",
                "GOMEMLIMIT": _memory_limit(),
            }
        )

    def build(self, request: Request) -> Response:
        return success(
            {
                "version": _version(),
                "revision": "",
                "branch": "",
                "buildUser": "",
                "buildDate": "",
                "goVersion": f"{platform.python_implementation()} {platform.python_version()}",
            }
        )


def success(data: Any) -> Response:
    """The envelope of an answer."""
    return _json({"status": "success", "data": data}, 200)


def failure(kind: str, text: str) -> Response:
    """The envelope of an error of one of the kinds of `STATUSES`."""
    response = _json({"status": "error", "errorType": kind, "error": text}, STATUSES[kind])
    response.headers["Cache-Control"] = "no-store"
    return response


def _json(content: Any, status: int) -> Response:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return Response(body, status, media_type="application/json")


def _memory_limit() -> int:
    """Bytes of address space that the process may use; the largest number when there is no limit."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return limit if limit != resource.RLIM_INFINITY else 2**63 - 1


def _version() -> str:
    try:
        return metadata.version("storegate")
    except metadata.PackageNotFoundError:  # run from a source tree
        return ""


def _from_another_site(request: Request) -> bool:
    """Browsers say so by Sec-Fetch-Site where the address is trustworthy; over plain HTTP by Origin alone."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site == "cross-site"
    own = {request.headers.get(name) for name in ("host", "x-forwarded-host")}  # a page cannot set these
    return origin is not None and origin.partition("://")[2] not in own
