"""The command group. Subcommands are imported when they are called, so that `--help` stays quick."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any, ClassVar

import click

from storegate.errors import StoregateError


class LazyGroup(click.Group):
    """Knows its subcommands by import string and one line of help."""

    commands_by_name: ClassVar[dict[str, tuple[str, str]]] = {
        "store": ("storegate.cli.store:store", "Serve the blocks of an object store."),
        "demo": ("storegate.cli.demo:demo", "Write a small bucket, serve it, and try a query."),
        "bucket": ("storegate.cli.bucket:bucket", "List, inspect and verify blocks."),
        "plugins": ("storegate.cli.plugins:plugins", "Show the installed plugins."),
        "config": ("storegate.cli.config:config", "Check and show configurations."),
        "version": ("storegate.cli.version:version", "Show the version."),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands_by_name)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.commands_by_name:
            return None
        module, _, attribute = self.commands_by_name[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in self.commands_by_name.items()])


@click.group(cls=LazyGroup, name="storegate", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="storegate", message="storegate, version %(version)s")
def root() -> None:
    """A store gateway for Prometheus metrics in object storage, built from plugins."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; every failure is one line on stderr. Returns the exit code."""
    try:
        result: Any = root.main(arguments, prog_name="storegate", standalone_mode=False)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "storegate"
        unknown_flag = isinstance(error, click.NoSuchOption) and command.endswith(" store")
        code = 1 if unknown_flag else 2  # the exit codes of `thanos store` (operations 1)
        return _fail(f"{command}: {_one_line(error.format_message())} (see '{command} --help')", code)
    except click.ClickException as error:
        return _fail(f"storegate: {_one_line(error.format_message())}", error.exit_code)
    except StoregateError as error:
        return _fail(f"storegate: error: {error}", 1)
    except (KeyboardInterrupt, click.Abort):
        return 130
    return result if isinstance(result, int) else 0


def version_text() -> str:
    """The version of the installed distribution."""
    try:
        return metadata.version("storegate")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"


def _fail(message: str, code: int) -> int:
    sys.stderr.write(message + "\n")
    return code


def _one_line(text: str) -> str:
    return " ".join(text.split())
