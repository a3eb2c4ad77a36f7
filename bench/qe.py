"""`./glossa bench qe`: what a quality engine gives and costs, through the qe service."""

from __future__ import annotations

from pathlib import Path

import click

from bench.settings_option import settings_option
from cli.options import json_option, source_language_option


@click.command(name="qe")
@click.argument("engines", metavar="[ENGINE[:MODEL]]...", nargs=-1)
@source_language_option
@click.option("--target", "target_language", default="es", show_default=True)
@click.option(
    "--pairs",
    "pairs_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A source and its translation a line, with a tab between.  [default: a few sentences]",
)
@click.option("--count", default=128, show_default=True, help="Pairs to measure, in each way.")
@settings_option("A GLOSSA_QE_* variable, such as GLOSSA_QE_DTYPE=float32.")
@json_option
def command(
    engines: tuple[str, ...],
    source_language: str,
    target_language: str,
    pairs_path: Path | None,
    count: int,
    settings: dict[str, str],
    as_json: bool,
) -> None:
    """Time a pair and pairs a second of quality engines, one service after another.

    Each is measured with one pair a request and with eight, one request after the other, then with
    eight requests in flight at once. The time is what the gateway sees.

    \b
    ./glossa bench qe
    ./glossa bench qe cometkiwi --pairs pairs.tsv
    ./glossa bench qe cometkiwi --set GLOSSA_QE_DTYPE=float32 --json
    """
    import json

    from bench.estimation import measure
    from cli.signals import run_until_signalled

    async def run() -> None:
        figures = await measure(
            engines or ("heuristic",),
            pairs_path,
            count,
            (source_language, target_language),
            settings,
        )
        if as_json:
            click.echo(json.dumps(figures, ensure_ascii=False))

    run_until_signalled(run(), signalled_status=130)
