"""`./glossa queue export`: pairs as JSON, one object a line."""

from __future__ import annotations

import click

from cli.collector_client import Collector, collector_address, collector_option, run
from cli.counted import counted
from cli.out_file import out_file
from cli.training_line import EXPORTED_BANDS, training_object


@click.command()
@collector_option
@click.option(
    "--band",
    "bands",
    multiple=True,
    type=click.Choice(EXPORTED_BANDS),
    default=("accept",),
    show_default=True,
    help="Band to export; may be given several times.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, allow_dash=True, path_type=str),
    help="File to write, replaced only when the export is whole; - for stdout.",
)
@click.option("--session", default="", metavar="ID", help="Export one session only.")
@click.pass_context
def export(
    context: click.Context, collector: str | None, bands: tuple[str, ...], out: str, session: str
) -> None:
    """Write pairs as JSON, one object a line, oldest first.

    Texts are named by their language: {"en": "...", "es": "...", "source": "sermon", "session_id":
    ..., "quality_score": ..., "stt_confidence": ..., "translation_qe": ..., "marian_agreement":
    ..., "timestamp": ...} with ids, models, offsets and every signal beside them. What was not
    measured is null: translation_qe is set only when a learned model gave it.

    Band corrected holds what people decided, a line for each pair's last decision: accepted, fixed
    or rejected. The texts are the person's, original_source_text and original_target_text the
    machine's. A rejected pair is in no other band.

    \b
    ./glossa queue export --out accepted.jsonl
    ./glossa queue export --band corrected --out gold.jsonl
    """
    group_collector, group_session = context.obj
    address = collector_address(collector or group_collector)
    run(_export(address, bands, out, session or group_session))


async def _export(address: str, bands: tuple[str, ...], out: str, session_id: str) -> None:
    import json

    count = 0
    with out_file(out) as stream:
        async with Collector(address) as collector:
            async for pair in collector.pairs(bands, session_id):
                line = json.dumps(training_object(pair), ensure_ascii=False, allow_nan=False)
                stream.write(line.encode() + b"\n")
                count += 1
        stream.flush()
    where = "stdout" if out == "-" else out
    click.echo(f"{counted(count, 'pair')} written to {where}", err=True)
