"""The front end `remote-read`: Prometheus' remote read protocol, on the server of the front end `http`."""

from __future__ import annotations

from collections.abc import Iterable

import storegate
from storegate_remote_read.config import RemoteReadConfig


@storegate.hookimpl
def storegate_frontends() -> Iterable[storegate.FrontendProvider]:
    yield storegate.FrontendProvider(
        name="remote-read",
        summary="Prometheus' remote read protocol, on the address of the front end `http`",
        config=RemoteReadConfig,
        factory="storegate_remote_read.frontend:open_frontend",
    )
