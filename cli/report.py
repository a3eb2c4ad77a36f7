"""`./glossa report`: what a session gave, in figures and plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli.collector_client import collector_address, collector_option, run
from cli.options import json_option

_MAKE_TIMEOUT_S = 200.0


@click.command()
@click.argument("session", required=False)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for report.json and report.html.  [default: var/reports/SESSION]",
)
@collector_option
@click.option("--gateway", help="host:port, for the list  [default: the stack running here]")
@json_option
def report(
    session: str | None, out: Path | None, collector: str | None, gateway: str | None, as_json: bool
) -> None:
    """Write the report of SESSION: pairs by band, scores, lag, flicker, reading speed, reviews.

    SESSION is its id, or `last`; without one the sessions are listed. A report is also written by
    itself when a session ends, into reports/ of the running stack's folder.

    \b
    ./glossa report
    ./glossa report last
    """
    import json

    from cli.session_list import last_session, newest_sessions, print_sessions

    if session is None:
        print_sessions(run(newest_sessions(gateway)))
        return
    if session == "last":
        session = run(last_session(gateway))
    files = run(_files(collector_address(collector), session))
    folder = out or _default_folder(session)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"cannot write {folder}: {error.strerror or error}") from error
    found = json.loads(files["report.json"])
    _print(found, folder)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))


def _default_folder(session: str) -> Path:
    from cli.stack import DEFAULT_STATE_DIR, running_stack

    state_dir = Path((running_stack() or {}).get("state_dir", DEFAULT_STATE_DIR))
    return state_dir / "reports" / session


async def _files(address: str, session: str) -> dict[str, bytes]:
    from cli.collector_client import Collector
    from glossa.collector.v1 import collector_pb2

    click.echo(f"glossa: making the report of {session} ...", err=True)
    files: dict[str, bytes] = {}
    async with Collector(address) as collector:
        async for piece in collector.stub.MakeReport(
            collector_pb2.MakeReportRequest(session_id=session), timeout=_MAKE_TIMEOUT_S
        ):
            files[piece.file_name] = files.get(piece.file_name, b"") + piece.data
    return files


def _print(found: dict[str, Any], folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(stderr=True)
    session = found["session"]
    begun = (session["start_time"] or "")[:16].replace("T", " ")
    title = session["title"] or f"Session of {begun} UTC"
    table = Table(title=Text(title), title_justify="left")  # as text: a title is no markup
    for heading in ("language", "accept", "moderate", "review", "reject", "excluded"):
        table.add_column(heading, justify="left" if heading == "language" else "right")
    for language, counts in found["pairs"]["by_language"].items():
        bands = (str(counts["bands"][band]) for band in ("accept", "moderate", "review", "reject"))
        table.add_row(language, *bands, str(sum(counts["excluded"].values())))
    console.print(table)
    console.print(
        f"sentences: {found['segments']['finals']}, doubtful: {len(found['flagged'])}, "
        f"new words: {len(found['terms']['new_words'])}, texts changed by people: "
        f"{found['review']['corrected_texts']}"
    )
    by_model = found["segments"]["translated_by"]
    console.print(f"translated by: {shares(by_model)}")
    flicker = {key: each["normalised_erasure"] for key, each in found["flicker"].items()}
    console.print(f"words taken back for each word of a final: {_listed(flicker, '.2f')}")
    speed = {key: each["p50_wpm"] for key, each in found["reading"]["by_language"].items()}
    console.print(f"words a minute to read, median: {_listed(speed, '.0f')}")
    if owed := found["pairs"]["owed_scores"]:
        waiting = "pair still waits for its score" if owed == 1 else "pairs still wait for scores"
        console.print(f"{owed} {waiting}: ask again in a moment")
    click.echo(f"{folder / 'report.html'}", err=True)


def shares(counts: dict[str, int]) -> str:
    """As in "marian/glossa-en-es 93 %, apertium/eng-spa 7 %"; a single model without its share."""
    total = sum(counts.values())
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{name} {count / total:.0%}" for name, count in counts.items()) or "nothing"


def _listed(by_language: dict[str, float | None], form: str) -> str:
    """As in "en 1.20, es 0.84"; what was not measured is left out."""
    known = {key: value for key, value in by_language.items() if value is not None}
    return ", ".join(f"{key} {value:{form}}" for key, value in known.items()) or "not measured"
