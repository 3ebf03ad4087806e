"""The front end `http`: probes and metrics, and the server that other HTTP applications are mounted on."""

from __future__ import annotations

from collections.abc import Iterable

import storegate
from storegate_http.config import HttpConfig


@storegate.hookimpl
def storegate_frontends() -> Iterable[storegate.FrontendProvider]:
    yield storegate.FrontendProvider(
        name="http",
        summary="probes, metrics, the API of blocks, and profiles over HTTP",
        config=HttpConfig,
        factory="storegate_http.frontend:open_frontend",
        early=True,
    )
