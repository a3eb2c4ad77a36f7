"""A gateway's journal with scored pairs in it, written by the gateway's own code."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.gateway.heard import append_transcript
from services.gateway.journal import Journal
from services.gateway.session_rows import end_session, start_session
from services.gateway.transaction import Owed, Stage, Transaction
from services.gateway.translated import append_pair_scored, append_translation

_PAIRS_A_SESSION = 1000
_VOCABULARY = """
grace mercy river morning bread shepherd valley lamp covenant promise harvest garden mountain
servant kingdom stone water light spirit prayer psalm table door road house
"""


async def fill(folder: Path, pair_count: int) -> tuple[str, int]:
    """Writes journal.db into `folder`; the events are those of sermons with one target language.

    Returns:
        The journal's id and its last sequence.
    """
    journal = Journal(folder / "journal.db", lambda events: None, "normal")
    try:
        for first in range(0, pair_count, _PAIRS_A_SESSION):
            count = min(_PAIRS_A_SESSION, pair_count - first)
            await _fill_session(journal, _session_id(first), count)
        return journal.journal_id, journal.last_sequence
    finally:
        await asyncio.to_thread(journal.close)


def pair_ids(pair_count: int) -> set[str]:
    """The ids of the pairs that `fill` writes."""
    return {
        f"{_session_id(number)}/{number % _PAIRS_A_SESSION + 1}/es" for number in range(pair_count)
    }


def _session_id(number: int) -> str:
    """The session of a pair, counted from 0."""
    return f"session-{number // _PAIRS_A_SESSION:04}"


async def _fill_session(journal: Journal, session_id: str, pair_count: int) -> None:
    config = gateway_pb2.SessionConfig(source_language="en", target_languages=["es"])
    await journal.write(start_session, session_id, config)
    chance = random.Random(session_id)
    await asyncio.gather(
        *(
            journal.write(_append_pair, session_id, pair)
            for pair in (_pair(segment_id, chance) for segment_id in range(1, pair_count + 1))
        )
    )
    await journal.write(end_session, session_id, gateway_pb2.END_REASON_FINISHED, 0)


def _append_pair(transaction: Transaction, session_id: str, pair: gateway_pb2.PairScored) -> None:
    segment_id = pair.transcript.segment_id
    append_transcript(transaction, session_id, pair.transcript, ("es",), 0, compared=False)
    append_translation(
        transaction, _owed(transaction, "translate", session_id, segment_id), pair.translation
    )
    append_pair_scored(transaction, _owed(transaction, "score", session_id, segment_id), pair)


def _owed(transaction: Transaction, stage: Stage, session_id: str, segment_id: int) -> Owed:
    (sequence,) = transaction.connection.execute(
        "SELECT sequence FROM owed WHERE stage = ? AND session_id = ? AND segment_id = ?",
        (stage, session_id, segment_id),
    ).fetchone()
    return Owed(stage, sequence, session_id, segment_id, "es")


def _pair(segment_id: int, chance: random.Random) -> gateway_pb2.PairScored:
    words = chance.choices(_VOCABULARY.split(), k=12)
    quality = chance.uniform(0.2, 1.0)
    return gateway_pb2.PairScored(
        transcript=types_pb2.Transcript(
            segment_id=segment_id,
            revision=1,
            is_final=True,
            stable_text=f"{' '.join(words).capitalize()}.",
            start_offset_ms=segment_id * 5000,
            end_offset_ms=segment_id * 5000 + 4200,
            language="en",
            avg_logprob=chance.uniform(-0.4, 0.0),
            no_speech_prob=0.02,
            compression_ratio=1.3,
            model="bench/stt",
        ),
        translation=types_pb2.Translation(
            segment_id=segment_id,
            language="es",
            revision=1,
            is_final=True,
            text=f"{' '.join(word[::-1] for word in words).capitalize()}.",
            model="bench/mt",
        ),
        signals=[
            types_pb2.Signal(name=name, value=quality, model="bench/qe")
            for name in ("translation_qe", "marian_agreement", "length_ratio", "number_parity")
        ],
    )
