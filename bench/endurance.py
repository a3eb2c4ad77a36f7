"""Feeds hours of audio to a stack and watches what that costs."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.memory import open_descriptors, resident_bytes
from bench.overhead import looped
from bench.stack import running_stack
from bench.turnover import Turnover
from cli.client import Chunk, SessionRequest
from cli.spoken import SAMPLE_TEXT, speak
from cli.supervisor import Supervisor
from cli.trial import Trial
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ

GROWTH_LIMIT = 0.10
# A service opens a few more when it is busy; one that leaks opens more and more.
_DESCRIPTORS_GROWTH_LIMIT = 8
_LAG_GROWTH_LIMIT_MS = 1000.0
_LAGS_FOR_A_FIGURE = 20
_PAIRS_FOR_A_FIGURE = 100  # with fewer, memory comes in pages larger than they are
# What is kept on purpose and grows with what is said: a pair in Redis, until a training has it; a
# final and its translation in captions, for displays that join late. Over four hours of audio
# 3,840 and 3,440 bytes were seen.
_KEPT_BYTES_A_PAIR = 4_000
_KEPT_BYTES_A_FINAL = 3_600
WARM_UP_AUDIO_S = 300.0
_MEMORY_INTERVAL_S = 2.0
_PROGRESS_INTERVAL_S = 15.0
_LEAVING_TIMEOUT_S = 20.0


class Watch:
    """Resident memory of every service against the audio fed so far."""

    def __init__(self) -> None:
        self.audio_s = 0.0
        self.is_fed = False
        # service -> (audio seconds, resident bytes)
        self.memory: dict[str, list[tuple[float, int]]] = defaultdict(list)
        # service -> (audio seconds, open file descriptors)
        self.descriptors: dict[str, list[tuple[float, int]]] = defaultdict(list)

    async def count(self, source: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
        """Passes chunks on; the client takes them no faster than the stack does."""
        async for chunk in source:
            self.audio_s = chunk.first_sample / SAMPLE_RATE_HERTZ
            yield chunk
        self.audio_s += len(chunk.data) / BYTES_PER_SAMPLE / SAMPLE_RATE_HERTZ
        self.is_fed = True  # soon the collector draws a report, in a process that is gone again

    async def run(self, supervisor: Supervisor) -> None:
        """Looks until cancelled."""
        told_at_s = time.monotonic()
        while True:
            for name, state in supervisor.states.items():
                if state.child is not None:
                    pid = state.child.pid
                    if not self.is_fed:
                        self.memory[name].append((self.audio_s, resident_bytes(pid)))
                    self.descriptors[name].append((self.audio_s, open_descriptors(pid)))
            if time.monotonic() - told_at_s > _PROGRESS_INTERVAL_S:
                told_at_s = time.monotonic()
                print(f"glossa: {self.audio_s / 60:.1f} minutes of audio fed", file=sys.stderr)
            await asyncio.sleep(_MEMORY_INTERVAL_S)


async def measure(
    profile: str, audio_minutes: int, *, growth_limit: float = GROWTH_LIMIT, visits: int = 0
) -> dict[str, Any]:
    """Runs the soak and prints a table to stderr.

    Args:
        growth_limit: of the memory of each service after five minutes of audio, beside what it
            keeps on purpose.
        visits: displays that come and go meanwhile.

    Returns:
        audio_minutes, wall_s, real_time_factor, finals, pairs, memory_mb {service: {after_5_min,
        end, kept, peak_growth}}, descriptors {service: {after_5_min, end}}, visits {made, failed},
        lag_growth_ms (None with too few finals), streams_left (displays that captions still
        serves when all have left), redis_bytes_a_pair (None with too few pairs after five minutes)
        and failures: a list of sentences, empty when all is well.
    """
    watch = Watch()
    async with running_stack(profile) as supervisor:
        plan = supervisor.plan
        sample_path = plan.state_dir / "sample.wav"
        await speak(SAMPLE_TEXT.read_text(encoding="utf-8"), sample_path)
        trial = Trial(
            {name: plan.address(name) for name in supervisor.states},
            SessionRequest("en", ("es",), title="soak"),
            speed=0,
            show=lambda event: None,
            on_event=lambda event: None,
        )
        turnover = Turnover(plan.address("captions"), plan.page_url, visits)
        visiting = asyncio.create_task(turnover.run())
        watching = asyncio.create_task(watch.run(supervisor))
        started_at_s = time.monotonic()
        outcome = await trial.run(watch.count(looped(sample_path, audio_minutes * 60)))
        wall_s = time.monotonic() - started_at_s
        await visiting
        await asyncio.sleep(2 * _MEMORY_INTERVAL_S)  # one more look, when the last has left
        watching.cancel()
        streams_left = await _streams_left(plan.ports()["captions_http"])
    result: dict[str, Any] = {
        "audio_minutes": audio_minutes,
        "wall_s": round(wall_s, 1),
        "real_time_factor": round(wall_s / (audio_minutes * 60), 3),
        "finals": len(outcome.ledger.finals),
        "pairs": outcome.collected.pairs,
    }
    later_share = max(0.0, 1 - WARM_UP_AUDIO_S / 60 / audio_minutes)
    stored: int = sum(count for band, count in result["pairs"].items() if band != "excluded")
    later_pairs = later_share * stored
    kept_bytes = {
        "redis": later_pairs * _KEPT_BYTES_A_PAIR,
        "captions": later_share * result["finals"] * _KEPT_BYTES_A_FINAL,
    }
    result["memory_mb"] = {
        name: _memory_figures(points, kept_bytes.get(name, 0.0))
        for name, points in watch.memory.items()
    }
    result["redis_bytes_a_pair"] = _bytes_a_pair(result["memory_mb"]["redis"], later_pairs)
    result["descriptors"] = {
        name: _descriptor_figures(points) for name, points in watch.descriptors.items()
    }
    result["visits"] = {"made": turnover.made, "failed": turnover.failed}
    result["streams_left"] = streams_left
    result["lag_growth_ms"] = _lag_growth_ms(outcome.lags_ms)
    result["failures"] = [
        *outcome.lost,
        *(
            f"the memory of {name} grew by {figures['peak_growth']:.0%} after five minutes, beside "
            "what it keeps on purpose"
            for name, figures in result["memory_mb"].items()
            if figures["peak_growth"] > growth_limit
        ),
        *(
            f"{name} has {figures['end']} descriptors open, {figures['after_5_min']} before"
            for name, figures in result["descriptors"].items()
            if figures["end"] > figures["after_5_min"] + _DESCRIPTORS_GROWTH_LIMIT
        ),
    ]
    if streams_left:
        result["failures"].append(f"captions still serves {streams_left} displays that have left")
    if turnover.failed:
        result["failures"].append(f"{turnover.failed} displays were not brought up to date")
    if (result["lag_growth_ms"] or 0.0) > _LAG_GROWTH_LIMIT_MS:
        result["failures"].append(f"the lag grew by {result['lag_growth_ms']:.0f} ms")
    _print(result)
    return result


def _memory_figures(points: list[tuple[float, int]], kept_bytes: float) -> dict[str, float]:
    """Megabytes after five minutes of audio and at the end, and the greatest growth in between.

    Args:
        kept_bytes: what was kept on purpose since then; it is no growth.
    """
    warm = [size for audio_s, size in points if audio_s >= WARM_UP_AUDIO_S]
    reference = warm[0] if warm else points[-1][1]
    return {
        "after_5_min": round(reference / 1e6, 1),
        "end": round(points[-1][1] / 1e6, 1),
        "kept": round(kept_bytes / 1e6, 1),
        "peak_growth": round((max(warm, default=reference) - kept_bytes) / reference - 1, 3),
    }


async def _streams_left(http_port: int) -> int:
    """How many displays captions says it serves, once that is none or some seconds have gone by."""
    deadline_s = time.monotonic() + _LEAVING_TIMEOUT_S
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"http://127.0.0.1:{http_port}/metrics") as answer:
                lines = (await answer.text()).splitlines()
            counts = [
                float(line.rpartition(" ")[2])
                for line in lines
                if line.startswith("glossa_captions_viewers{")
            ]
            if not sum(counts) or time.monotonic() > deadline_s:
                return int(sum(counts))
            await asyncio.sleep(_MEMORY_INTERVAL_S)


def _descriptor_figures(points: list[tuple[float, int]]) -> dict[str, int]:
    """Open descriptors after five minutes of audio and at the end."""
    warm = [count for audio_s, count in points if audio_s >= WARM_UP_AUDIO_S]
    end = points[-1][1]
    return {"after_5_min": warm[0] if warm else end, "end": end}


def _lag_growth_ms(lags_ms: list[float]) -> float | None:
    """Median lag of the last quarter over that of the second; None with too few to tell.

    The first quarter is left out: there the stack takes audio ahead until it is held back.
    """
    quarter = len(lags_ms) // 4
    if quarter < _LAGS_FOR_A_FIGURE:
        return None
    return round(
        statistics.median(lags_ms[-quarter:]) - statistics.median(lags_ms[quarter : 2 * quarter]), 1
    )


def _bytes_a_pair(redis_mb: dict[str, float], later_pairs: float) -> int | None:
    """What a pair costs in Redis, told by the pairs that came after the first five minutes."""
    if later_pairs < _PAIRS_FOR_A_FIGURE:
        return None
    return round((redis_mb["end"] - redis_mb["after_5_min"]) * 1e6 / later_pairs)


def _print(result: dict[str, Any]) -> None:
    console = Console(stderr=True, highlight=False)
    table = Table(title=f"Resident memory over {result['audio_minutes']} minutes of audio, MB")
    for heading in ("service", "after 5 min", "end", "kept on purpose", "peak growth beside"):
        table.add_column(heading, justify="left" if heading == "service" else "right")
    for name, figures in result["memory_mb"].items():
        table.add_row(
            name,
            str(figures["after_5_min"]),
            str(figures["end"]),
            str(figures["kept"]) if figures["kept"] else "",
            f"{figures['peak_growth']:+.1%}",
        )
    console.print(table)
    console.print(
        f"{result['finals']} finals in {result['wall_s']} s: real-time factor "
        f"{result['real_time_factor']}"
    )
    if result["redis_bytes_a_pair"] is not None:
        console.print(f"redis keeps {result['redis_bytes_a_pair']} bytes a pair")
    for failure in result["failures"]:
        console.print(f"FAILED: {failure}")
