"""`./glossa queue calibrate`: what verified pairs say about confidences and thresholds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import click

from cli.options import json_option

if TYPE_CHECKING:
    from services.collector.verified import ExportedPair, VerifiedPair
    from services.collector.verified_sample import Rules

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
    pairs: BinaryIO,
    collected: BinaryIO | None,
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
    read = _read(pairs, collected)
    try:
        from cli import calibration_table
        from services.collector.calibration_findings import find
        from services.collector.threshold_fit import Aims

    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error.name} is not installed; `./glossa queue calibrate`, with calibrate right "
            "after queue, installs it"
        ) from error
    try:
        aims = Aims(precision, moderate_precision, review_precision)
    except ValueError as error:  # NaN passes every range
        raise click.UsageError(f"{error}; see --help") from error
    from rich.console import Console

    now = _rules_of_now()
    if all(now.score(each.pair) is None for each in read.verified):
        raise click.ClickException(
            f"no verified pair of {pairs.name} has a score, so there is nothing to fit; give "
            "pairs with avg_logprob, translation_qe, marian_agreement or the signal "
            "heuristic_quality"
        )
    with Console(stderr=True).status(f"Fitting {len(read.verified)} verified pairs"):
        findings = find(read.verified, read.collected, aims, now, read.sha256, seed)
    calibration = findings.calibration
    if plot is not None:
        from cli.calibration_figure import draw

        with _writing(plot):
            draw(findings, plot)
    if out is not None and calibration is not None:
        with _writing(out):
            out.write_bytes(calibration.to_json())
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


class _Read(NamedTuple):
    """What the files hold."""

    verified: list[VerifiedPair]
    collected: list[ExportedPair]
    sha256: str  # of the file of verified pairs


def _read(pairs: BinaryIO, collected: BinaryIO | None) -> _Read:
    import hashlib

    from services.collector.verified import read_exported, read_verified

    content = pairs.read()
    with _reading(pairs):
        verified = read_verified(content.splitlines())
    if not verified:
        raise click.ClickException(
            f"{pairs.name} has no pair that a person decided about; review some on the review page "
            "or with `./glossa review`, then `./glossa queue export --band corrected`"
        )
    others: list[ExportedPair] = []
    if collected is not None:
        with _reading(collected):
            others = read_exported(collected)
    return _Read(verified, others, hashlib.sha256(content).hexdigest())


def _rules_of_now() -> Rules:
    """How the collector judges with the settings of this environment."""
    from services.collector.settings import CollectorSettings
    from services.collector.verified_sample import Rules
    from services.settings import load

    settings = load(CollectorSettings)
    return Rules(settings.weights(), settings.thresholds(), settings.calibration)


@contextlib.contextmanager
def _reading(file: BinaryIO) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise click.ClickException(f"{file.name}: {error}") from error


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror or error}") from error
