"""A click group whose verbs are imported only when they are asked for.

`--help` of any verb must answer at once, so nothing heavier than click is imported to find it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

import click


@dataclass(frozen=True)
class Verb:
    """Where a verb's command is, and its line in the list of verbs."""

    module: str
    attribute: str
    summary: str


class LazyGroup(click.Group):
    """A group that knows its verbs by name and imports one on use."""

    def __init__(self, *args: object, verbs: Mapping[str, Verb] | None = None, **more: object):
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self._verbs = dict(verbs or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = self._verbs.get(cmd_name)
        if verb is None:
            return None
        command: click.Command = getattr(importlib.import_module(verb.module), verb.attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.summary) for name, verb in self._verbs.items()])
