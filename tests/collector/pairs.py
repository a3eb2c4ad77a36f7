"""Pairs for the tests that need no journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.collector.bands import Band
from services.collector.pair import Decision, Pair, ReviewedPair, ScoredPair, Signal

GOOD_PAIR = Pair(
    sequence=7,
    time=datetime(2026, 11, 22, 10, 0, 0, 250_000, tzinfo=UTC),
    session_id="session-a",
    segment_id=3,
    source_language="en",
    target_language="es",
    source_text="The river stands at the edge of the field",
    target_text="El río está en la orilla del campo abierto",
    signals=(
        Signal("translation_qe", 0.9, "rule/kiwi"),
        Signal("marian_agreement", 0.95, "rule/marian"),
        Signal("back_translation", None, "rule/back"),
    ),
    stt_model="rule/stt",
    mt_model="rule/mt",
    start_offset_ms=1_000,
    end_offset_ms=2_500,
    avg_logprob=-0.05,
    no_speech_prob=0.1,
    compression_ratio=1.2,
)


def pair(**changes: Any) -> Pair:
    return replace(GOOD_PAIR, **changes)


def signals(**values: float | None) -> tuple[Signal, ...]:
    return tuple(Signal(name, value, "rule/qe") for name, value in values.items())


def scored(band: Band = Band.ACCEPT, **changes: Any) -> ScoredPair:
    """A pair that was put in a band; from moderate on a person should look at it."""
    return ScoredPair(pair(**changes), band, 0.9, None, 0.9, None)


def reviewed(
    machine: ScoredPair, sequence: int, decision: Decision = Decision.FIXED, revision: int = 1
) -> ReviewedPair:
    """A decision about a pair, as the journal tells it: the pair in it is of the same event."""
    time = machine.pair.time + timedelta(seconds=sequence)
    return ReviewedPair(
        machine=replace(machine, pair=replace(machine.pair, sequence=sequence, time=time)),
        sequence=sequence,
        time=time,
        decision=decision,
        source_text="The river stands at the edge of the open field",
        target_text="El río está al borde del campo abierto",
        reviewer="Ana",
        review_id=f"review-{sequence}",
        revision=revision,
    )
