"""`storegate store`: the gateway."""

from __future__ import annotations

from typing import Any

import click
import structlog

from storegate import logs
from storegate.cli.flag_options import FlagCommand, flag_options, given_flags
from storegate.cli.root import version_text
from storegate.cli.signals import StopSignals
from storegate.config.flags import configure
from storegate.errors import StoregateError


def _store(**values: Any) -> int:
    """Serve the blocks of an object store over the Thanos StoreAPI.

    The flags are those of `thanos store`. Settings beyond them, and the whole pipeline of plugins, are in the file of
    `--config`.
    """
    flags = given_flags(values)
    try:
        logs.configure(flags.get("log.level", "info"), flags.get("log.format", "logfmt"), flags.get("debug.name", ""))
        log = structlog.get_logger().bind(component="store")
    except StoregateError as error:
        click.echo(f"storegate store: error: {error}", err=True)
        return 1
    try:
        settings, notes = configure(flags)
        logs.configure(settings.log.level, settings.log.format, settings.log.name)
        log.info("starting storegate", version=version_text())
        for note in notes:
            log.warning(note)
        from storegate.gateway import Gateway

        with StopSignals() as signals:
            gateway = Gateway(settings)
            for plugin in gateway.plugins.broken:
                log.warning("a plugin could not load and is passed over", plugin=plugin.origin, err=plugin.reason)
            gateway.start(signals.stopped)
            signals.wait()
            gateway.stop()
    except StoregateError as error:
        log.error("storegate cannot go on", err=error)
        return 1
    log.info("stopped")
    return 0


store = FlagCommand(
    "store",
    callback=_store,
    help=_store.__doc__,
    params=[*flag_options()],
    context_settings={"help_option_names": ["-h", "--help", "--help-long", "--help-man"]},
)
click.version_option(package_name="storegate", message="storegate, version %(version)s")(store)
