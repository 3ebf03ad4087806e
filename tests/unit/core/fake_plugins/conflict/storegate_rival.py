"""Offers a name that another plugin offers too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

import storegate


class Config(BaseModel, extra="forbid"):
    size: int = 1


@storegate.hookimpl
def storegate_object_stores() -> Iterator[storegate.ObjectStoreProvider]:
    yield storegate.ObjectStoreProvider(
        name="Acme", summary="the rival", config=Config, factory="storegate_rival:open_part"
    )


class Rival(str):
    """Has every member that a store needs."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


def open_part(config: Config, context: storegate.PluginContext) -> Rival:
    return Rival("rival")
