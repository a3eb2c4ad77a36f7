"""Lag and overhead of final captions for several sessions at once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.stack import running_stack
from cli.client import Chunk, SessionRequest
from cli.media import AudioFile
from cli.spoken import SAMPLE_TEXT, speak
from cli.trial import Outcome, Trial, percentiles_ms
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ

# Sessions begin in different places of the sample, so that their segments do not end together.
_STAGGER_S = 7.3
# A sermon ends with silence, too: without it the last segment would end with the stream and be
# timed with what the gateway takes to believe a half-close.
_LAST_SILENCE_S = 2.0


async def measure(
    profile: str, session_counts: Sequence[int], seconds: int, settings: Mapping[str, str]
) -> dict[str, Any]:
    """Runs each number of sessions on a fresh stack; prints a table to stderr.

    Returns:
        overhead_ms, lag_ms and engine_ms, each {"1": {"p50": ..., "p95": ...}, ...}; finals and
        lost, each {"1": count, ...}.
    """
    runs: dict[int, list[Outcome]] = {}
    for count in session_counts:
        async with running_stack(profile, settings) as supervisor:
            sample_path = supervisor.plan.state_dir / "sample.wav"
            await speak(SAMPLE_TEXT.read_text(encoding="utf-8"), sample_path)
            print(f"glossa: {count} session(s) for {seconds} s ...", file=sys.stderr)
            addresses = {name: supervisor.plan.address(name) for name in supervisor.states}
            runs[count] = await asyncio.gather(
                *(
                    _trial(addresses, index).run(looped(sample_path, seconds, index * _STAGGER_S))
                    for index in range(count)
                )
            )
    figures = _figures(runs)
    _print_table(figures)
    return figures


def _trial(addresses: Mapping[str, str], index: int) -> Trial:
    request = SessionRequest("en", ("es",), title=f"bench {index + 1}")
    return Trial(
        addresses, request, speed=1.0, show=lambda event: None, on_event=lambda event: None
    )


async def looped(path: Path, seconds: int, skip_s: float = 0.0) -> AsyncIterator[Chunk]:
    """`seconds` of a file over and over, from `skip_s` into it, with silence at the end."""
    next_sample = 0
    end_sample = int(seconds * SAMPLE_RATE_HERTZ)
    silence_sample = int((seconds - _LAST_SILENCE_S) * SAMPLE_RATE_HERTZ)
    while True:
        async for chunk in AudioFile(str(path)).chunks():
            if chunk.first_sample < skip_s * SAMPLE_RATE_HERTZ:
                continue
            if next_sample >= end_sample:
                return
            is_silent = next_sample >= silence_sample
            yield Chunk(next_sample, bytes(len(chunk.data)) if is_silent else chunk.data)
            next_sample += len(chunk.data) // BYTES_PER_SAMPLE
        skip_s = 0.0


def _figures(runs: Mapping[int, Sequence[Outcome]]) -> dict[str, Any]:
    def spread(field: str) -> dict[str, dict[str, float | None]]:
        return {
            str(count): percentiles_ms(
                [value for outcome in outcomes for value in getattr(outcome, field)]
            )
            for count, outcomes in runs.items()
        }

    return {
        "overhead_ms": spread("overheads_ms"),
        "engine_ms": spread("engines_ms"),
        "lag_ms": spread("lags_ms"),
        "finals": {
            str(count): sum(len(outcome.ledger.finals) for outcome in outcomes)
            for count, outcomes in runs.items()
        },
        "lost": {
            str(count): sum(len(outcome.lost) for outcome in outcomes)
            for count, outcomes in runs.items()
        },
    }


def _print_table(figures: Mapping[str, Any]) -> None:
    table = Table(title="Final translations at a display, milliseconds (p50 / p95)")
    for heading in ("sessions", "finals", "overhead", "engines", "lag", "lost"):
        table.add_column(heading, justify="right")
    for count, finals in figures["finals"].items():
        table.add_row(
            count,
            str(finals),
            *(
                f"{figures[field][count]['p50']} / {figures[field][count]['p95']}"
                for field in ("overhead_ms", "engine_ms", "lag_ms")
            ),
            str(figures["lost"][count]),
        )
    Console(stderr=True).print(table)
