"""`./glossa propresenter`: captions on ProPresenter's screens."""

from __future__ import annotations

import click

from cli.display_options import DisplayOptions, display_options
from cli.options import HOST_PORT


@click.command()
@click.option(
    "--address",
    required=True,
    type=HOST_PORT,
    help="ProPresenter, as its settings for the network show it.",
)
@click.option("--message", default="", help="Name of the message to show captions in.")
@click.option(
    "--message-token",
    default="",
    help="Name of the message's text token.  [default: the only one that it has]",
)
@click.option("--stage", is_flag=True, help="Show them as the message on the stage screens.")
@display_options
def propresenter(
    address: str,
    message: str,
    message_token: str,
    stage: bool,
    options: DisplayOptions,
) -> None:
    """Show captions in ProPresenter 7.9 or newer, until Ctrl-C.

    In ProPresenter: Settings > Network > Enable Network shows address and port. For the audience
    make a message, "Captions", whose text is one token, {Caption}, and give it a theme; for the
    stage screens nothing needs to be made. The message is hidden while nobody speaks, and at the
    end.

    ProPresenter and the captions service may come, go and restart as they like: captions go on.

    \b
    ./glossa propresenter --address 127.0.0.1:50001 --message "Captions" --language es
    ./glossa propresenter --address 192.168.1.20:50001 --stage --language en --lines 3
    """
    from cli.propresenter_connection import audience_message, stage_message

    if bool(message) == stage:
        raise click.UsageError("say where captions are to be shown: --message NAME, or --stage")
    if stage:
        options.show_by(lambda: stage_message(address))
    else:
        options.show_by(lambda: audience_message(address, message, message_token))
