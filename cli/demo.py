"""`./glossa demo`: everything at once, from nothing to captions and a summary."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import (
    json_option,
    port_base_option,
    profile_option,
    source_language_option,
    target_language_option,
)


@click.command()
@click.argument("source", metavar="[FILE]", required=False)
@profile_option
@source_language_option
@target_language_option
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="1 in real time, 2 twice as fast, 0 as fast as the gateway takes it.",
)
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="Text that is spoken: gives the word error rate.",
)
@click.option("--state-dir", type=click.Path(file_okay=False, path_type=Path), hidden=True)
@port_base_option
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C.")
@json_option
def demo(
    source: str | None,
    profile: str,
    source_language: str,
    target_languages: tuple[str, ...],
    speed: float,
    reference: Path | None,
    state_dir: Path | None,
    port_base: int | None,
    keep: bool,
    as_json: bool,
) -> None:
    """Start everything, feed it FILE (or a sample sermon), show the captions of both languages.

    FILE is any audio: wav, flac, mp3, ogg, m4a, mp4. Exits with 1 when anything was lost on the
    way, with 2 when FILE cannot be played.
    """
    from cli.client import SessionRequest
    from cli.performance import Performance
    from cli.signals import run_until_signalled

    title = Path(source).name if source else "Sample sermon"
    performance = Performance(
        source=source,
        profile=profile,
        request=SessionRequest(source_language, target_languages, title[:200]),
        speed=speed,
        reference=reference,
        state_dir=state_dir,
        port_base=port_base,
        keep=keep,
        as_json=as_json,
    )
    run_until_signalled(performance.run(), signalled_status=130)
