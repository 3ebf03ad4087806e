"""SIGHUP: read the configuration again, take over what can change, and say what cannot."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog

from storegate import logs
from storegate.config.flags import configure
from storegate.errors import StoregateError

if TYPE_CHECKING:
    from storegate.gateway import Gateway


class Reload:
    """Called for each SIGHUP, on any thread. Reads the files that the flags name; the flags themselves stay.

    A configuration that is wrong is logged, and nothing changes.
    """

    def __init__(self, flags: Mapping[str, Any], gateway: Gateway) -> None:
        self._flags = flags
        self._gateway = gateway
        self._log = structlog.get_logger(component="reload")
        self._one_at_a_time = threading.Lock()

    def __call__(self) -> None:
        with self._one_at_a_time:
            try:
                settings = configure(self._flags).settings
                changes = self._gateway.reload(settings)
                if any(path.startswith("log.") for path in changes.applied):
                    logs.configure(settings.log.level, settings.log.format, settings.log.name)
            except StoregateError as error:
                self._log.error("the configuration is wrong and was not reloaded", err=error)
                return
        changed = "; ".join(f"{path}: {old} -> {new}" for path, (old, new) in changes.applied.items())
        # at level warn, so that it is seen whatever the level became
        self._log.warning("reloaded the configuration", changed=changed or "nothing")
        if changes.restart:
            self._log.warning("changed settings that need a restart", settings=", ".join(changes.restart))
