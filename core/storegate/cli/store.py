"""`storegate store`: the gateway."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click
import structlog

from storegate import logs
from storegate.allocator import use_one_arena
from storegate.cli import without_collection
from storegate.cli.flag_options import FlagCommand, flag_options, given_flags
from storegate.cli.reload import Reload
from storegate.cli.root import version_text
from storegate.cli.signals import StopSignals
from storegate.config.flags import configure
from storegate.errors import ConfigurationError, StoregateError


def _store(**values: Any) -> int:
    """Serve the blocks of an object store over the Thanos StoreAPI.

    The flags are those of `thanos store`. Settings beyond them, and the whole pipeline of plugins, are in the file of
    `--config`.
    """
    flags = given_flags(values)
    try:
        logs.configure(flags.get("log.level", "info"), flags.get("log.format", "logfmt"), flags.get("debug.name", ""))
        log = structlog.get_logger(component="store")
    except StoregateError as error:
        click.echo(f"storegate store: error: {error}", err=True)
        return 1
    with without_collection():
        from storegate.gateway import Gateway
        from storegate.manager import PluginManager

    try:
        settings, notes = configure(flags)
        logs.configure(settings.log.level, settings.log.format, settings.log.name)
        use_one_arena()
        log.info("starting storegate", version=version_text())
        for note in notes:
            log.warning(note)
        with without_collection():
            plugins = PluginManager.load_for(settings.plugins)
        for plugin, trouble in plugins.troubles():
            log.warning("trouble with a plugin", plugin=plugin.origin, name=plugin.name, err=trouble)
        if settings.cache_index_header:
            _prepare_data_dir(settings.data_dir)
        with StopSignals() as signals:
            with without_collection():
                gateway = Gateway(settings, plugins, flags)
            plugins.count_in(gateway.registry)
            signals.on_hangup = Reload(flags, gateway)
            gateway.start(signals.stopped)
            signals.wait()
            gateway.stop()
    except StoregateError as error:
        log.error("storegate cannot go on", err=error)
        return 1
    log.info("stopped")
    return 0


def _prepare_data_dir(folder: Path) -> None:
    """Create the data directory, and find out now rather than at the first block whether it can be written to."""
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"data_dir (--data-dir): cannot write to {folder}: {error.strerror}; choose another folder, or give "
            "--no-cache-index-header to keep everything in memory"
        ) from None


store = FlagCommand(
    "store",
    callback=_store,
    help=_store.__doc__,
    params=[*flag_options()],
    context_settings={"help_option_names": ["-h", "--help", "--help-long", "--help-man"]},
)
click.version_option(package_name="storegate", message="storegate, version %(version)s")(store)
