"""`./glossa bench stt`: what a recogniser gives and costs, through the stt service."""

from __future__ import annotations

from pathlib import Path

import click

from bench.settings_option import settings_option
from cli.options import json_option, source_language_option


@click.command(name="stt")
@click.argument("engines", metavar="[ENGINE[:MODEL]]...", nargs=-1)
@source_language_option
@click.option(
    "--audio",
    type=click.Path(exists=True, path_type=Path),
    help="A recording, or a folder of them with manifest.jsonl or .txt files.  [default: sample]",
)
@click.option("--limit", type=click.IntRange(min=1), help="Recordings of the folder to take.")
@click.option("--partials", is_flag=True, help="Ask for partials, too: the recogniser's full work.")
@click.option(
    "--stress",
    type=click.IntRange(min=1),
    help="So many segments in a row: is the last as quick as the first, and the memory flat?",
)
@settings_option("A GLOSSA_STT_* variable, such as GLOSSA_STT_DEVICE=cuda.")
@json_option
def command(
    engines: tuple[str, ...],
    source_language: str,
    audio: Path | None,
    limit: int | None,
    partials: bool,
    stress: int | None,
    settings: dict[str, str],
    as_json: bool,
) -> None:
    """Speed, errors and memory of recognisers, one service after another.

    The real-time factor is the time that finals took in the engine, waiting left out, over the
    duration of their audio; with --partials the recogniser does that work beside. Recordings are
    sent as fast as the service takes them. Word error rate is that of all finals against what is
    written, lower case and without punctuation. `./glossa bench stream` measures in real time.

    \b
    ./glossa bench stt
    ./glossa bench stt pocketsphinx faster_whisper:small.en --audio recordings/
    ./glossa bench stt faster_whisper:large-v3-turbo --set GLOSSA_STT_DEVICE=cuda --stress 100
    """
    import json

    from bench.recognition import Load, measure
    from cli.signals import run_until_signalled

    async def run() -> None:
        figures = await measure(
            engines or ("pocketsphinx",),
            audio,
            Load(source_language, limit, partials, stress),
            settings,
        )
        if as_json:
            click.echo(json.dumps(figures, ensure_ascii=False))

    run_until_signalled(run(), signalled_status=130)
