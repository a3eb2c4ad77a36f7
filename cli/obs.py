"""`./glossa obs`: captions in a text source of OBS Studio."""

from __future__ import annotations

from pathlib import Path

import click

from cli.display_options import DisplayOptions, display_options
from cli.options import HOST_PORT


@click.command()
@click.option(
    "--address",
    default="127.0.0.1:4455",
    show_default=True,
    type=HOST_PORT,
    help="OBS's WebSocket server.",
)
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File whose first line is the server's password; not needed where OBS asks for none.",
)
@click.option("--source", required=True, help="Name of the text source.")
@click.option(
    "--stream-captions",
    is_flag=True,
    help="Send each sentence as a closed caption (CEA-608) of the live stream, too.",
)
@display_options
def obs(
    address: str,
    password_file: Path | None,
    source: str,
    stream_captions: bool,
    options: DisplayOptions,
) -> None:
    """Show captions in a text source of OBS Studio, until Ctrl-C.

    In OBS 28 or newer: Tools > WebSocket Server Settings > Enable WebSocket server; Show Connect
    Info has the password. Make a text source, choose its font and size, and give it a width to wrap
    at. The text is Glossa's from then on; it is emptied at the end.

    OBS and the captions service may come, go and restart as they like: captions go on.

    \b
    ./glossa obs --password-file obs-password.txt --source "Captions" --language es
    ./glossa obs --source "Subtítulos" --language es --lines 1 --clear-after 5 --stream-captions
    """
    from cli.obs_connection import ObsServer, obs_source

    password = ""
    if password_file is not None:
        password = password_file.read_text("utf-8-sig", "replace").partition("\n")[0].strip("\r")
    server = ObsServer(address, password)
    options.show_by(lambda: obs_source(server, source, stream_captions))
