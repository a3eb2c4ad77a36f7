"""`./glossa review suggestions`: words that people put right, as rows for stt's list."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from cli.collector_client import Collector, collector_address, collector_option, run
from cli.counted import counted
from cli.options import json_option
from cli.out_file import out_file

if TYPE_CHECKING:
    from services.collector.suggestions import Suggestion

COLUMNS = ("heard", "intended", "kind", "context_needed", "context")


@click.command()
@collector_option
@click.option("--session", default="", metavar="ID", help="Look at one session only.")
@click.option(
    "--language", default="en", show_default=True, help="Language of the transcripts (BCP 47)."
)
@click.option(
    "--min-count",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Sentences in which the same words must have been put right.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=str),
    help="Write the rows to this file, as stt reads them; - for stdout.",
)
@json_option
@click.pass_context
def suggestions(
    context: click.Context,
    collector: str | None,
    session: str,
    language: str,
    min_count: int,
    out: str | None,
    as_json: bool,
) -> None:
    """List words that people put right in transcripts.

    Each is a suggested row for the list by which stt mends misheard words. Look at the file, take
    out what is wrong, and add the rest to corrections_<language>.tsv in your own copy of the folder
    that GLOSSA_STT_CORRECTIONS_DIR names. Words that are right elsewhere come with
    context_needed=yes and with the places where they were wrong.

    \b
    ./glossa review suggestions
    ./glossa review suggestions --min-count 3 --out suggestions.tsv
    """
    group_collector, group_session = context.obj
    address = collector_address(collector or group_collector)
    found = run(_suggestions(address, session or group_session, language, min_count))
    if out is not None:
        with out_file(out) as stream:
            stream.write(as_tsv(found).encode())
        click.echo(
            f"{counted(len(found), 'row')} written to {'stdout' if out == '-' else out}", err=True
        )
    if as_json:
        rows = [asdict(suggestion) for suggestion in found]
        click.echo(json.dumps({"suggestions": rows}, ensure_ascii=False))
    elif out is None:
        _print(found, min_count)


async def _suggestions(
    address: str, session_id: str, language: str, min_count: int
) -> Sequence[Suggestion]:
    from glossa.types.v1 import types_pb2
    from services.collector.suggestions import ReviewedTranscript, suggest

    gold = (types_pb2.DECISION_ACCEPTED, types_pb2.DECISION_FIXED)
    async with Collector(address) as collector:
        reviewed = [
            ReviewedTranscript(pair.pair_id, pair.original_source_text, pair.source_text)
            async for pair in collector.pairs(("corrected",), session_id)
            if pair.decision in gold and pair.source_language == language
        ]
        decided = {transcript.pair_id for transcript in reviewed}
        accepted = [
            pair.source_text
            async for pair in collector.pairs(("accept",), session_id)
            if pair.source_language == language and pair.pair_id not in decided
        ]
    return suggest(reviewed, accepted, min_count)


def as_tsv(found: Sequence[Suggestion]) -> str:
    """The rows as stt's list has them."""
    text = io.StringIO()
    writer = csv.writer(
        text, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n"
    )
    writer.writerow(COLUMNS)
    writer.writerows(suggestion.row() for suggestion in found)
    return text.getvalue()


def _print(found: Sequence[Suggestion], min_count: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from cli.review_screen import clean

    console = Console()
    if not found:
        console.print(
            f"No words were put right in {min_count} sentences or more; --min-count asks for fewer."
        )
        return
    table = Table(title="Put right by reviewers", title_justify="left")
    for heading in ("heard", "intended", "times", "kind", "context", "for example"):
        table.add_column(heading)
    for suggestion in found:
        table.add_row(
            Text(clean(suggestion.heard)),
            Text(clean(suggestion.intended)),
            str(suggestion.count),
            suggestion.kind,
            Text(clean(suggestion.context)),
            Text(clean(suggestion.pair_ids[0])),
        )
    console.print(table)
