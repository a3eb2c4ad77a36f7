"""Everything that verified pairs say at once: maps, thresholds, and how far to trust both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.collector.bands import Band
from services.collector.calibration import Calibration, FittedOn
from services.collector.calibration_fit import (
    RecogniserFit,
    Reliability,
    composite_reliability,
    fit_recognisers,
    with_maps,
)
from services.collector.threshold_fit import Aims, held_out, propose
from services.collector.verified import ExportedPair, VerifiedPair
from services.collector.verified_sample import (
    BandFigures,
    Precision,
    Rules,
    Sample,
    wilson,
)

ENOUGH_PAIRS = 200


@dataclass(frozen=True, slots=True)
class Findings:
    """What is to be told.

    Args:
        now: how pairs are judged at present.
        recognisers: one a recogniser.
        composite_before: of the composite without maps; None without scored pairs.
        composite_after: with maps, each session by those of the others; None with one session.
        bands_now: the bands under the present thresholds, with the present calibration.
        bands_proposed: with what there is to adopt; None: nothing.
        accepted: what each threshold would accept, with the fitted maps.
        unseen: precision of what is accepted in sessions that nothing was fitted on.
        calibration: what there is to adopt; None: nothing.
        warnings: what makes all this doubtful, each a sentence.
        notes: what could not be held, and why, each a sentence.
    """

    aims: Aims
    now: Rules
    pair_count: int
    good_count: int
    session_count: int
    collected_count: int
    recognisers: tuple[RecogniserFit, ...]
    composite_before: Reliability | None
    composite_after: Reliability | None
    bands_now: dict[Band, BandFigures]
    bands_proposed: dict[Band, BandFigures] | None
    accepted: list[tuple[float, BandFigures]]
    unseen: Precision
    calibration: Calibration | None
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def find(
    verified: Sequence[VerifiedPair],
    collected: Sequence[ExportedPair],
    aims: Aims,
    now: Rules,
    sha256: str,
    seed: int = 0,
) -> Findings:
    """Fits, proposes, and tries both on sessions left out.

    Args:
        verified: at least one.
        collected: pairs of all bands, verified or not; empty when only those verified are known.
        sha256: of the file of verified pairs.
    """
    fits = fit_recognisers(verified, seed)
    maps = with_maps(fits)
    sample = Sample(verified, collected, maps, now)
    proposal = propose(sample, aims, now.thresholds)
    before, after = composite_reliability(verified, now, seed)
    sessions = {pair.pair.session_id for pair in verified}
    bands_now = Sample(verified, collected, now.calibration, now).figures(now.thresholds)
    bands_proposed = calibration = None
    notes = proposal.notes
    if maps.stt or proposal.thresholds is not None:
        bands_proposed = sample.figures(proposal.thresholds or now.thresholds)
        if proposal.thresholds is None:
            notes = (*notes, _thresholds_stay(bands_now, bands_proposed))
        calibration = replace(
            maps,
            # What was adopted before must not go back to the defaults.
            thresholds=proposal.thresholds or now.calibration.thresholds,
            fitted_on=FittedOn(
                pair_count=len(verified),
                session_count=len(sessions),
                time=datetime.now(UTC).replace(microsecond=0),
                sha256=sha256,
            ),
        )
    return Findings(
        aims=aims,
        now=now,
        pair_count=len(verified),
        good_count=sum(pair.is_good for pair in verified),
        session_count=len(sessions),
        collected_count=len(collected),
        recognisers=fits,
        composite_before=before,
        composite_after=after,
        bands_now=bands_now,
        bands_proposed=bands_proposed,
        accepted=sample.accepted(),
        unseen=held_out(verified, collected, aims, now, seed),
        calibration=calibration,
        warnings=tuple(_warnings(verified, collected, len(sessions), aims, now)),
        notes=notes,
    )


def _thresholds_stay(now: dict[Band, BandFigures], proposed: dict[Band, BandFigures]) -> str:
    return (
        "the fitted confidences alone move pairs between the bands: with the thresholds of now "
        f"{proposed[Band.ACCEPT].share:.0%} would be accepted instead of "
        f"{now[Band.ACCEPT].share:.0%}"
    )


def _warnings(
    verified: Sequence[VerifiedPair],
    collected: Sequence[ExportedPair],
    session_count: int,
    aims: Aims,
    now: Rules,
) -> list[str]:
    found = []
    if len(verified) < ENOUGH_PAIRS:
        low, high = wilson(aims.accept * len(verified), len(verified))
        found.append(
            f"{len(verified)} verified pairs are few: of so many, {aims.accept:.0%} good ones mean "
            f"anything from {low:.0%} to {high:.0%}; verify {ENOUGH_PAIRS} or more"
        )
    if session_count < 2:
        found.append("all pairs are of one session, so nothing could be tried on another")
    seen = {now.band(pair.pair) for pair in verified}
    if Band.ACCEPT not in seen:
        found.append(
            "no verified pair is of those accepted now: how good they are is not known; verify a "
            "random sample of the band accept, too"
        )
    if not collected:
        found.append(
            "people look at the doubtful pairs first, so shares and precisions of these alone are "
            "not those of all pairs; give all other bands with --collected"
        )
    return found
