"""What came of a fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Recovery:
    """How long something took to be as before, or to be noticed.

    Args:
        limit_s: what is promised; beyond it the table says so.
    """

    what: str
    took_s: float
    limit_s: float

    @property
    def is_late(self) -> bool:
        return self.took_s > self.limit_s


@dataclass(frozen=True)
class Losses:
    """What was compared: journal, two viewers and Redis, as sets of names.

    Args:
        finals: transcripts and translations in the journal, by (session, sequence).
        lost: what an observer misses of it, or what was spoken and never became a final; a line
            each.
        doubled: what came twice, a line each.
        late_s: how much later than usual the latest final was shown; None when there are too few.
    """

    finals: int = 0
    finals_lost: int = 0
    finals_doubled: int = 0
    pairs: int = 0
    pairs_lost: int = 0
    pairs_doubled: int = 0
    lost: tuple[str, ...] = ()
    late_s: float | None = None


@dataclass(frozen=True)
class Verdict:
    """A line of the table.

    Args:
        noticed: how long it took until an operator was shown it.
        failures: what should have been, and was not; a sentence each.
        seen: what the operator was shown, and other remarks.
        skipped: why it was not tried here; empty: it was.
    """

    fault: str
    times: int = 0
    losses: Losses = Losses()
    noticed: tuple[Recovery, ...] = ()
    recoveries: tuple[Recovery, ...] = ()
    failures: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    skipped: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost or doubled, and all was as it should be but for its time."""
        losses = self.losses
        return not (
            losses.finals_lost
            or losses.finals_doubled
            or losses.pairs_lost
            or losses.pairs_doubled
            or self.failures
        )

    @property
    def recovery_s(self) -> float | None:
        """The longest recovery."""
        return _longest_s(self.recoveries)

    @property
    def noticed_s(self) -> float | None:
        """The longest time until an operator was shown it."""
        return _longest_s(self.noticed)

    @property
    def over_limit(self) -> tuple[Recovery, ...]:
        """What took longer than is promised."""
        return tuple(each for each in (*self.noticed, *self.recoveries) if each.is_late)


def as_json(verdicts: list[Verdict], seed: int) -> dict[str, Any]:
    """The figures of all, and of each under `faults` by name."""
    tried = [verdict for verdict in verdicts if not verdict.skipped]
    recoveries_s = [each.recovery_s for each in tried if each.recovery_s is not None]
    return {
        "seed": seed,
        "faults": {verdict.fault: _figures(verdict) for verdict in verdicts},
        **{
            name: sum(getattr(verdict.losses, name) for verdict in tried)
            for name in ("finals", "finals_lost", "finals_doubled")
        },
        **{
            name: sum(getattr(verdict.losses, name) for verdict in tried)
            for name in ("pairs", "pairs_lost", "pairs_doubled")
        },
        "recovery_s": round(max(recoveries_s, default=0.0), 2),
    }


def _figures(verdict: Verdict) -> dict[str, Any]:
    if verdict.skipped:
        return {"skipped": verdict.skipped}
    losses = verdict.losses
    return {
        "times": verdict.times,
        "finals": losses.finals,
        "finals_lost": losses.finals_lost,
        "finals_doubled": losses.finals_doubled,
        "pairs": losses.pairs,
        "pairs_lost": losses.pairs_lost,
        "pairs_doubled": losses.pairs_doubled,
        "noticed_s": _rounded(verdict.noticed_s),
        "recovery_s": _rounded(verdict.recovery_s),
        "late_s": _rounded(losses.late_s),
        "over_limit": [each.what for each in verdict.over_limit],
        "failures": [*losses.lost, *verdict.failures],
        "seen": list(verdict.seen),
    }


def _longest_s(waits: tuple[Recovery, ...]) -> float | None:
    return max((each.took_s for each in waits), default=None)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
