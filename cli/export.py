"""`./glossa export`: what was said in a session, as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.counted import counted
from cli.out_file import out_file

if TYPE_CHECKING:
    from services.captions.transcripts.export import ExportRequest
    from services.captions.transcripts.transcript import Transcript

_FORMATS = ("vtt", "srt", "txt", "json")  # as services.captions.transcripts.export has them


@click.command()
@click.argument("session", required=False)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_FORMATS),
    help="What to write.  [default: by the name of --out, else vtt]",
)
@click.option(
    "--language",
    default="",
    metavar="LANGUAGE",
    help="Language wanted (BCP 47).  [default: the first translation; with --words the language "
    "spoken; in JSON all of them]",
)
@click.option("--second", default="", metavar="LANGUAGE", help="Another one, below the first.")
@click.option("--words", is_flag=True, help="With the time of each word that was heard: vtt, json.")
@click.option(
    "--offset",
    default="0",
    metavar="TIME",
    help="Move every cue: [-]h:m:s or seconds. 90 when the video began 90 s before the session, "
    "-90 when it began after.",
)
@click.option(
    "--out",
    default="-",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=str),
    help="File to write, replaced only when it is whole.  [default: stdout]",
)
@click.option(
    "--gateway", metavar="HOST:PORT", help="Gateway to ask.  [default: the running stack]"
)
def export(
    session: str | None,
    format_name: str | None,
    language: str,
    second: str,
    words: bool,
    offset: str,
    out: str,
    gateway: str | None,
) -> None:
    """Write what was said in SESSION: as subtitles, as text to read, or as JSON.

    SESSION is its id, or `last`; without one the sessions are listed. Corrections stand in it,
    hidden sentences do not. It is read from the gateway's journal, however old it is.

    \b
    ./glossa export
    ./glossa export last --language es --out sunday.es.srt
    ./glossa export last --format txt --language es --second en
    ./glossa export last --format vtt --words --offset 1:30 --out sunday.en.vtt
    """
    from cli.session_list import newest_sessions, print_sessions
    from cli.signals import result_until_signalled
    from services.captions.transcripts.export import exported
    from services.errors import GlossaError, InvalidInput

    if session is None:
        print_sessions(result_until_signalled(newest_sessions(gateway)))
        return
    request = _request(format_name or _format_of(out), language, second, words, offset)
    transcript = result_until_signalled(_transcript(gateway, session))
    try:
        text = exported(transcript, request).text
    except InvalidInput as error:
        raise click.UsageError(error.message) from error
    except GlossaError as error:
        raise click.ClickException(error.message) from error
    with out_file(out) as stream:
        stream.write(text.encode())
        stream.flush()
    if out != "-":
        click.echo(f"{counted(len(transcript.segments), 'sentence')} written to {out}", err=True)


def _format_of(out: str) -> str:
    ending = out.rpartition(".")[2].lower()
    return ending if ending in _FORMATS else "vtt"


def _request(
    format_name: str, language: str, second: str, words: bool, offset: str
) -> ExportRequest:
    from typing import cast

    from services.captions.transcripts.export import ExportRequest, Format, offset_ms_of
    from services.errors import InvalidInput

    try:
        return ExportRequest(
            cast(Format, format_name), language, second, words, offset_ms_of(offset)
        )
    except InvalidInput as error:
        raise click.UsageError(error.message) from error


async def _transcript(gateway: str | None, session: str) -> Transcript:
    """Raises GlossaError: the gateway does not answer, or knows no such session."""
    import grpc

    from cli.client import Peer, as_glossa_error
    from cli.session_list import last_session
    from cli.stack import address_of
    from services.captions.transcripts.journal import read_transcript
    from services.channels import open_channel

    address = gateway or address_of("gateway")
    session_id = await last_session(gateway) if session == "last" else session
    async with open_channel(address) as channel:
        try:
            return await read_transcript(channel, session_id)
        except grpc.aio.AioRpcError as error:
            raise as_glossa_error(error, Peer("gateway", address, "--gateway")) from error
