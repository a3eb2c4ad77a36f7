"""`--set` of the benches: GLOSSA_* variables for the services that are measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click


def settings_option(help_text: str) -> Callable[[Any], Any]:
    """Gives the command `settings`, a dictionary of the variables that were given."""
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        callback=_variables,
        help=help_text,
    )


def _variables(
    context: click.Context, parameter: click.Parameter, given: Sequence[str]
) -> dict[str, str]:
    variables = {}
    for item in given:
        key, separator, value = item.partition("=")
        if not separator or not key.startswith("GLOSSA_"):
            raise click.BadParameter(
                f"{item!r} is no GLOSSA_...=VALUE; docs/settings.md lists the variables"
            )
        variables[key] = value
    return variables
