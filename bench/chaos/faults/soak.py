"""Hours of audio and a crowd that comes and goes: nothing grows."""

from __future__ import annotations

from random import Random

from bench.chaos.verdict import Losses, Verdict
from bench.endurance import measure

GROWTH_LIMIT = 0.05
_VISITS_AN_HOUR = 25_000  # 100,000 in four hours


async def soak(_: Random, *, hours: float) -> Verdict:
    """Audio as fast as the stack takes it; its own losses are counted by the soak itself."""
    result = await measure(
        "embedded",
        max(1, round(hours * 60)),
        growth_limit=GROWTH_LIMIT,
        visits=round(hours * _VISITS_AN_HOUR),
    )
    growth = max(each["peak_growth"] for each in result["memory_mb"].values())
    return Verdict(
        "soak",
        times=1,
        losses=Losses(finals=2 * result["finals"], pairs=sum(result["pairs"].values())),
        failures=tuple(result["failures"]),
        seen=(
            f"{result['audio_minutes']} minutes of audio in {result['wall_s'] / 60:.0f} minutes, "
            f"{result['visits']['made']} displays came and went",
            f"the memory of a service grew by {growth:.1%} at most beside what it keeps, "
            f"the lag by {result['lag_growth_ms']} ms",
        ),
    )
