"""What the verbs take that show captions in another program. `--help` loads this."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cli.options import HOST_PORT

if TYPE_CHECKING:
    from cli.display_feed import Connect

_OPTIONS = (
    click.option("--language", required=True, help="Language to show (BCP 47)."),
    click.option("--session", default="", help="Only this session.  [default: the newest]"),
    click.option(
        "--lines",
        type=click.IntRange(1, 20),
        default=2,
        show_default=True,
        help="Show the newest so many sentences.",
    ),
    click.option(
        "--clear-after",
        "clear_after_s",
        type=click.FloatRange(0, 3600),
        default=8.0,
        show_default=True,
        metavar="SECONDS",
        help="Show nothing when nothing new came for so long; 0: leave it.",
    ),
    click.option("--partials", is_flag=True, help="Show text that may still change, too."),
    click.option(
        "--token",
        default="",
        envvar="GLOSSA_CAPTIONS_VIEW_TOKEN",
        help="Token, where one is wanted; better in GLOSSA_TOKEN or GLOSSA_CAPTIONS_VIEW_TOKEN.",
    ),
    click.option(
        "--captions",
        "captions_address",
        type=HOST_PORT,
        help="Captions service.  [default: the stack running here]",
    ),
)


@dataclass(frozen=True)
class DisplayOptions:
    """Which captions are to be shown, and how."""

    language: str
    session: str
    lines: int
    clear_after_s: float
    partials: bool
    token: str
    captions_address: str | None

    def show_by(self, connect: Connect) -> None:
        """Shows them until a signal comes, then exits."""
        from cli.display_feed import CaptionSource, feed
        from cli.display_text import DisplayRules
        from cli.signals import run_until_signalled
        from cli.stack import address_of

        rules = DisplayRules(
            self.language, self.session, self.lines, self.clear_after_s, self.partials
        )
        source = CaptionSource(self.captions_address or address_of("captions"), self.token)
        run_until_signalled(
            feed(source, rules, connect, lambda sentence: click.echo(f"-- {sentence}", err=True))
        )


def display_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options and hands them to `command` as `options`, a DisplayOptions."""
    names = DisplayOptions.__dataclass_fields__

    @functools.wraps(command)
    def wrapped(**arguments: Any) -> None:
        taken = {name: arguments.pop(name) for name in names}
        command(options=DisplayOptions(**taken), **arguments)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
