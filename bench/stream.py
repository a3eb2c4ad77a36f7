"""`./glossa bench stream`: a whole stack on recordings in real time, with logs for OmniSTEval."""

from __future__ import annotations

from pathlib import Path

import click

from bench.settings_option import settings_option
from cli.options import json_option, profile_option, source_language_option, target_language_option


@click.command(name="stream")
@profile_option
@click.option(
    "--audio",
    type=click.Path(exists=True, path_type=Path),
    help="A recording, or a folder of them with manifest.jsonl or .txt files.  [default: sample]",
)
@source_language_option
@target_language_option
@click.option("--limit", type=click.IntRange(min=1), help="Recordings of the folder to take.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    help="1 is real time; only then do latencies mean what they say.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var/bench-stream"),
    show_default=True,
    help="Logs go here.",
)
@settings_option("A GLOSSA_* variable.")
@json_option
def command(
    profile: str,
    audio: Path | None,
    source_language: str,
    target_languages: tuple[str, ...],
    limit: int | None,
    speed: float,
    output: Path,
    settings: dict[str, str],
    as_json: bool,
) -> None:
    """How captions come: latency, flicker and errors of a stack on recordings.

    Each recording is a session. The logs of each language are instances.<language>.log as SimulEval
    writes it (delays: audio heard when a word had come to stay; elapsed: the same on the clock) and
    references.<language>.txt where a reference is known; segmentation.json and events.jsonl, with
    every caption as it came, lie beside. OmniSTEval (pip install OmniSTEval) computes LongYAAL and
    BLEU of them with the command that is printed.

    Flicker is normalised erasure: words taken back for each word of the final text (Arivazhagan et
    al. 2020, arXiv 2004.03643); 0.2 is thought to be little. Lag is from the end of speech to the
    final caption.
    """
    import json

    from bench.streaming import Wanted, measure
    from cli.signals import run_until_signalled

    async def run() -> int:
        figures = await measure(
            profile,
            audio,
            Wanted(source_language, target_languages, speed, limit),
            output,
            settings,
        )
        if as_json:
            click.echo(json.dumps(figures, ensure_ascii=False))
        return 1 if figures["lost"] else 0

    run_until_signalled(run(), signalled_status=130)
