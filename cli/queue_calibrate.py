"""`./glossa queue calibrate`: what verified pairs say about confidences and thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import json_option

if TYPE_CHECKING:
    from services.collector.calibration_findings import Findings
    from services.collector.threshold_fit import Aims

_PRECISION = click.FloatRange(0.5, 0.999)


@click.command()
@click.option(
    "--pairs",
    required=True,
    type=click.File("rb"),
    metavar="FILE",
    help="Pairs that a person decided about: an export of the band corrected; - for stdin.",
)
@click.option(
    "--collected",
    type=click.File("rb"),
    metavar="FILE",
    help="An export of all other bands: what the shares are of, and what weighs the verified ones.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Calibration file to write, for GLOSSA_COLLECTOR_CALIBRATION.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Figure to draw: .png, .svg or .pdf.",
)
@click.option(
    "--precision",
    type=_PRECISION,
    default=0.95,
    show_default=True,
    help="Share of good pairs that the accepted ones are to have.",
)
@click.option(
    "--moderate-precision",
    type=_PRECISION,
    default=0.80,
    show_default=True,
    help="The same of the moderate ones.",
)
@click.option(
    "--review-precision",
    type=click.FloatRange(0.05, 0.999),
    default=0.50,
    show_default=True,
    help="The same of those for review; what is below is rejected.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Decides who is held out.")
@json_option
def calibrate(
    pairs: Any,
    collected: Any,
    out: Path | None,
    plot: Path | None,
    precision: float,
    moderate_precision: float,
    review_precision: float,
    seed: int,
    as_json: bool,
) -> None:
    """Propose thresholds, and calibrate the recognisers' confidence.

    Reads pairs that people decided about. One is good when it was accepted, or fixed without a
    change of words. Then:

    \b
    - each recogniser's confidence is fitted to how often its text was right,
    - thresholds are proposed that accept 40 to 60 % of all pairs and of which it is shown that they
      hold the precision asked for; where both cannot be had, precision wins.

    Both are tried on sessions that nothing was fitted on. Nothing changes until it is adopted:

    \b
    ./glossa queue export --band corrected --out verified.jsonl
    ./glossa queue calibrate --pairs verified.jsonl --out calibration.json --plot calibration.png
    GLOSSA_COLLECTOR_CALIBRATION=calibration.json ./glossa up
    """
    if plot is not None and plot.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise click.BadParameter("name a .png, .svg or .pdf file", param_hint="'--plot'")
    try:
        from cli import calibration_table
        from services.collector.threshold_fit import Aims
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error.name} is not installed; `./glossa queue calibrate`, with calibrate right "
            "after queue, installs it"
        ) from error
    aims = Aims(precision, moderate_precision, review_precision)
    findings = _findings(pairs, collected, aims, seed)
    calibration = findings.calibration
    if plot is not None:
        from cli.calibration_figure import draw

        _written(plot, lambda: draw(findings, plot))
    if out is not None and calibration is not None:
        content = calibration.to_json()
        _written(out, lambda: out.write_bytes(content))
    if as_json:
        import json

        click.echo(json.dumps(calibration_table.as_object(findings), allow_nan=False))
    else:
        calibration_table.show(findings)
        if plot is not None:
            click.echo(f"{plot} drawn")
        if out is not None and calibration is not None:
            click.echo(
                f"{out} written (calibration {calibration.id}); adopt it with "
                f"GLOSSA_COLLECTOR_CALIBRATION={out}"
            )
    if out is not None and calibration is None:
        raise click.ClickException(f"there is nothing to adopt, so {out} was not written")


def _findings(pairs: Any, collected: Any, aims: Aims, seed: int) -> Findings:
    import hashlib

    from services.collector.calibration_findings import find
    from services.collector.settings import CollectorSettings
    from services.collector.verified import read_exported, read_verified
    from services.collector.verified_sample import Rules
    from services.settings import load

    settings = load(CollectorSettings)
    now = Rules(settings.weights(), settings.thresholds(), settings.calibration)
    content = pairs.read()
    try:
        verified = read_verified(content.splitlines())
    except ValueError as error:
        raise click.ClickException(f"{pairs.name}: {error}") from error
    if not verified:
        raise click.ClickException(
            f"{pairs.name} has no pair that a person decided about; review some on the review page "
            "or with `./glossa review`, then `./glossa queue export --band corrected`"
        )
    try:
        others = read_exported(collected) if collected is not None else []
    except ValueError as error:
        raise click.ClickException(f"{collected.name}: {error}") from error
    return find(verified, others, aims, now, hashlib.sha256(content).hexdigest(), seed)


def _written(path: Path, write: Any) -> None:
    try:
        write()
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror or error}") from error
