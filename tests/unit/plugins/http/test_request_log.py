"""Log lines about requests of the HTTP API (operations 14)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog
from starlette.responses import PlainTextResponse

from storegate.config.request_logging import RequestLogging
from storegate_http.request_log import Logged

BOTH = {"log_start": True, "log_end": True}
DEBUG = {"level": "DEBUG", "decision": BOTH}
ERROR = {"level": "ERROR", "decision": BOTH}


def lines(status: int = 200, headers: dict[str, str] | None = None, **rules: Any) -> list[Any]:
    """What is logged of one request of the blocks that is answered with this status."""
    given = {"host": "gateway:10902", **(headers or {})}
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/blocks",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("10.0.0.9", 4711),
    }

    async def send(message: Any) -> None:
        """Nobody reads the answer."""

    rules_of_http = RequestLogging.model_validate(rules).for_http()
    with structlog.testing.capture_logs() as found:
        app = Logged(PlainTextResponse("OK", status), "blocks", rules_of_http, structlog.get_logger())
        asyncio.run(app(scope, None, send))  # type: ignore[arg-type]
    return list(found)


def test_a_request_is_logged_at_its_start_and_end() -> None:
    start, end = lines(headers={"x-request-id": "r-7", "user-agent": "curl"}, options=DEBUG)
    assert (start["event"], end["event"], end["log_level"]) == ("started call", "finished call", "debug")
    names = ("http.method", "http.status_code", "http.request_id", "http.user_agent", "http.remote_addr")
    assert [end[name] for name in names] == ["GET", 200, "r-7", "curl", "10.0.0.9:4711"]
    assert end["thanos.method_name"] == "blocks"
    assert end["http.time_ms"] > 0


def test_a_proxy_says_whose_request_it_is() -> None:
    (end,) = lines(headers={"x-forwarded-for": "10.1.2.3"}, options={"level": "DEBUG", "decision": {"log_end": True}})
    assert end["http.remote_addr"] == "10.1.2.3"


@pytest.mark.parametrize(("status", "level"), [(200, "debug"), (404, "debug"), (500, "error")])
def test_the_status_decides_the_level(status: int, level: str) -> None:
    assert lines(status, options=DEBUG)[-1]["log_level"] == level


@pytest.mark.parametrize(("port", "logged"), [(10902, 2), (80, 0)])
def test_the_allow_list_goes_by_path_and_port(port: int, logged: int) -> None:
    assert len(lines(http={"options": DEBUG, "config": [{"path": "/api/v1/blocks", "port": port}]})) == logged


def test_a_good_answer_is_not_kept_at_level_error() -> None:
    assert lines(options=ERROR) == []


def test_nothing_is_logged_by_default() -> None:
    assert lines() == []
