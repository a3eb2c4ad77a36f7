"""Options that several verbs share. Imports click alone: `--help` loads this."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import click


class _HostPort(click.ParamType):
    """host:port, as it was written."""

    name = "HOST:PORT"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            parts = urlsplit(f"//{value}")
            is_address = bool(parts.hostname and parts.port and parts.netloc == value)
        except ValueError:
            is_address = False
        if not is_address:
            self.fail(
                f"{value!r} is no address; write HOST:PORT, as in 192.168.1.20:4455", param, ctx
            )
        return value


HOST_PORT = _HostPort()
profile_option = click.option(
    "--profile",
    default="embedded",
    envvar="GLOSSA_PROFILE",
    show_default=True,
    help="Engines to run: the name of a file in profiles/.",
)
state_dir_option = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="GLOSSA_STATE_DIR",
    help="Journal, Redis data and logs lie here.  [default: var/]",
)
port_base_option = click.option(
    "--port-base",
    type=int,
    envvar="GLOSSA_PORT_BASE",
    help="First of the stack's ports.  [default: 7300]",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object as the last line of stdout."
)
source_language_option = click.option(
    "--source",
    "--source-language",
    "source_language",
    default="en",
    show_default=True,
    help="Language spoken or written (BCP 47).",
)
target_language_option = click.option(
    "--target",
    "--target-language",
    "target_languages",
    multiple=True,
    default=("es",),
    show_default=True,
    help="Language wanted; may be given several times.",
)


def was_given(context: click.Context, parameter: str) -> bool:
    """Whether the user wrote this option, rather than leaving it at its default or variable."""
    return context.get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE
