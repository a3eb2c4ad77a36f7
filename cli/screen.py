"""What `up` shows: a line for each event and, on a terminal, the services' states below them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from cli.supervisor import Supervisor

_STYLES = {
    "ready": "green",
    "starting": "yellow",
    "silent": "red",
    "restarting": "red",
    "stopping": "yellow",
}


class StackScreen:
    """Prints to stderr, so that stdout stays for what a verb gives."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)

    def report(self, line: str) -> None:
        self.console.print(Text.assemble(("glossa: ", "dim"), line))

    def show_code(self, code: str) -> None:
        """A QR code, where there is a terminal whose characters make one."""
        if self.console.is_terminal:
            self.console.print(Text(code, style="bright_white on black"))

    @contextlib.contextmanager
    def watching(self, supervisor: Supervisor) -> Iterator[None]:
        """Shows the services' states until exit."""
        if not self.console.is_terminal:
            yield
            return
        with Live(
            console=self.console,
            get_renderable=lambda: _states(supervisor),
            refresh_per_second=4,
            transient=True,
        ):
            yield


def _states(supervisor: Supervisor) -> Text:
    line = Text()
    for state in supervisor.states.values():
        line.append(f" {state.name} ", "bold")
        line.append(state.state, _STYLES.get(state.state, "dim"))
        if state.restarts:
            line.append(f" x{state.restarts + 1}", "red")
    return line
