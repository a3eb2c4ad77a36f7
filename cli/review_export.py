"""`./glossa review export`: what waits for review, as Label Studio tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.collector_client import collector_address, collector_option
from cli.out_file import out_file
from cli.review_client import ReviewClient

if TYPE_CHECKING:
    from services.collector.label_studio import Shown


@click.command()
@collector_option
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, allow_dash=True, path_type=str),
    help="File to write; - for stdout.",
)
@click.option("--session", default="", metavar="ID", help="Export one session only.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=1000,
    show_default=True,
    help="At most this many, the most urgent first.",
)
@click.option(
    "--audio-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each pair's audio into this folder, where it was kept.",
)
@click.option(
    "--audio-url",
    default="",
    metavar="PREFIX",
    help="What Label Studio finds the files of --audio-dir under, such as "
    "/data/local-files/?d=audio/  [default: the folder's path]",
)
@click.pass_context
def export(
    context: click.Context,
    collector: str | None,
    out: str,
    session: str,
    limit: int,
    audio_dir: Path | None,
    audio_url: str,
) -> None:
    """Write what waits for review as Label Studio tasks.

    The texts stand there to be changed, with what was doubtful about them. The labelling
    configuration that fits is docs/label-studio.xml. Export the annotations as JSON and take them
    back with `./glossa review import`.

    \b
    ./glossa review export --out tasks.json
    ./glossa review export --out tasks.json --audio-dir audio --audio-url https://files.example/
    """
    from cli.signals import sentence
    from services.collector.label_studio import task
    from services.errors import GlossaError

    if audio_url and audio_dir is None:
        raise click.UsageError("--audio-url says where --audio-dir is found; name that, too")
    group_collector, group_session = context.obj
    try:
        with ReviewClient(collector_address(collector or group_collector)) as client:
            answer = client.list(session or group_session, limit)
            tasks = [task(_shown(client, item, audio_dir, audio_url)) for item in answer.items]
    except GlossaError as error:
        raise click.ClickException(sentence(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"cannot write into {audio_dir}: {error.strerror or error}"
        ) from error
    with out_file(out) as stream:
        stream.write(json.dumps(tasks, ensure_ascii=False, indent=1).encode() + b"\n")
    where = "stdout" if out == "-" else out
    left = answer.progress.open_count - len(tasks)
    more = f"; {left} less urgent ones wait beside them" if left > 0 else ""
    click.echo(f"{len(tasks)} tasks written to {where}{more}", err=True)


def _shown(client: ReviewClient, item: Any, audio_dir: Path | None, audio_url: str) -> Shown:
    from services.collector.label_studio import Shown

    pair = item.pair
    return Shown(
        pair_id=pair.pair_id,
        source_language=pair.source_language,
        target_language=pair.target_language,
        source_text=pair.source_text,
        target_text=pair.target_text,
        audio=_audio(client, item, audio_dir, audio_url) if audio_dir is not None else "",
        priority=item.priority,
        quality_score=pair.quality_score,
        reasons=tuple(item.reasons),
        flags=tuple(pair.flags),
        missing_terms=tuple((term.source, term.target) for term in pair.missing_terms),
        scores={signal.name: signal.value for signal in pair.signals if signal.HasField("value")},
    )


def _audio(client: ReviewClient, item: Any, folder: Path, url: str) -> str:
    """Where the annotators find a pair's audio; empty where it is not kept, or no longer.

    Raises:
        OSError: the file cannot be written.
    """
    from services.errors import GlossaError

    if not item.has_audio:
        return ""
    try:
        wav = client.audio(item.pair.pair_id)
    except GlossaError as error:
        if error.reason not in ("AUDIO_NOT_STORED", "UNKNOWN_PAIR"):
            raise
        return ""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{item.pair.pair_id.replace('/', '_')}.wav"
    path.write_bytes(wav)
    return f"{url}{path.name}" if url else str(path)
