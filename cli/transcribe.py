"""`./glossa transcribe`: what a recording says, as stt hears it."""

from __future__ import annotations

import click

from cli.options import profile_option, source_language_option


@click.command()
@click.argument("file", metavar="FILE|URL")
@source_language_option
@click.option("--engine", help="Start this recogniser alone, and end it afterwards.")
@click.option("--model", help="Its model: a folder, or a name in the models folder.")
@profile_option
@click.option("--phrase", "phrases", multiple=True, help="A word or name to listen for.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "times", "json", "vtt"]),
    default="text",
    show_default=True,
    help="times: with where each line begins; json: one object a line, with words and figures.",
)
@click.option("--stt", "address", help="host:port  [default: the stack running here]")
@click.pass_context
def transcribe(
    context: click.Context,
    file: str,
    source_language: str,
    engine: str | None,
    model: str | None,
    profile: str,
    phrases: tuple[str, ...],
    form: str,
    address: str | None,
) -> None:
    """Write down what is said in FILE, a line a segment, as fast as the recogniser can.

    Through the stack that runs here. With --engine, --model or --profile, or when no stack runs,
    stt is started alone with them: so a model is tried before Sunday. What is suppressed (phantom
    phrases, music, what is too doubtful) is told on stderr.

    \b
    ./glossa transcribe sunday.mp3
    ./glossa transcribe --engine faster_whisper --model large-v3-turbo --format vtt sunday.mp3
    """
    from cli.file_transcription import Wanted, transcribe_file
    from cli.options import was_given
    from cli.signals import run_until_signalled

    chosen = engine is not None or model is not None or was_given(context, "profile")
    if address is not None and chosen:
        raise click.UsageError("--stt names a running service; it already has its engine")
    settings = {}
    if engine is not None:  # what the profile has for partials is not what is tried
        settings = {
            "GLOSSA_STT_ENGINE": engine,
            "GLOSSA_STT_MODEL": "",
            "GLOSSA_STT_PARTIAL_ENGINE": "",
            "GLOSSA_STT_PARTIAL_MODEL": "",
            "GLOSSA_STT_FALLBACK_MODEL": "",
        }
    if model is not None:
        settings["GLOSSA_STT_MODEL"] = model
    run_until_signalled(
        transcribe_file(
            file,
            Wanted(source_language, phrases, form),
            address=address,
            lone=(profile, settings) if chosen else None,
        ),
        signalled_status=130,
    )
