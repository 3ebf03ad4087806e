"""The front end `ui`: pages for people, on the server of the front end `http`."""

from __future__ import annotations

from collections.abc import Iterable

import storegate
from storegate_ui.config import UiConfig


@storegate.hookimpl
def storegate_frontends() -> Iterable[storegate.FrontendProvider]:
    yield storegate.FrontendProvider(
        name="ui",
        summary="a map of the blocks, running queries, caches and settings, on the address of the front end `http`",
        config=UiConfig,
        factory="storegate_ui.frontend:open_frontend",
        early=True,
    )
