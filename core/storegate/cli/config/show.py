"""`storegate config show`: the settings in force."""

from __future__ import annotations

import json
from typing import Any

import click
import yaml

from storegate.cli.config.options import help_of, options, subject, tell
from storegate.config.masking import masked_settings


def _show(file: str | None, as_json: bool, **values: Any) -> int:
    """Show all settings in force, defaults and the plugins' own included. Secrets are replaced.

    What has no effect is said on stderr.
    """
    found = subject(file, values)
    tell(found.notes)
    shown = masked_settings(found.settings, found.plugins)
    if as_json:
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        click.echo(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), nl=False)
    return 0


command = click.Command(
    "show",
    callback=_show,
    params=options(click.Option(["--json", "as_json"], is_flag=True, help="Print JSON.")),
    help=help_of(_show),
)
