"""Every final scored by real models, and journal, queues and exports agree on it, id by id.

A tiny Whisper hears, two tiny Marians translate (one finals, one drafts), qe estimates with a tiny
UnifiedMetric and compares by tiny sentence embeddings. Scores and bands are worked out here once
more, from what the journal holds.
"""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from glossa.gateway.v1 import gateway_pb2
from tests.e2e.stack import BANDS, UpStack, speak, texts
from tests.speech import Pcm, spoken, with_pauses
from tests.tiny.embedding import sentence_embedding_of
from tests.tiny.marian import MULTILINGUAL, marian_ct2
from tests.tiny.unified_metric import predicted, unified_metric
from tests.tiny.whisper import SENTENCES, whisper_ct2

pytestmark = [
    pytest.mark.engines,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(900),  # the first time, the models are trained
]

METRIC, EMBEDDING = "unified-metric", "sentence-embedding"
FINALS, DRAFTS = "tiny-en-mul", "tiny-en-es"
# An untrained UnifiedMetric says about one half of everything, so the bands begin lower than usual.
THRESHOLDS = {"accept": 0.70, "moderate": 0.60, "review": 0.50}
RULES_THAT_CAP = ("negation_parity", "number_parity", "bible_references", "glossary_terms")


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory, qe_python: str) -> Path:
    """Each model by a name of ours; a name of the catalogue stands for the published files."""
    folder = tmp_path_factory.mktemp("models")
    for name, built in {
        METRIC: unified_metric(qe_python),
        EMBEDDING: sentence_embedding_of(qe_python),
        FINALS: marian_ct2(MULTILINGUAL),
        DRAFTS: marian_ct2("en-es"),
        "whisper": whisper_ct2(),
    }.items():
        shutil.copytree(built, folder / name)
    return folder


def new_stack(folder: Path, models_dir: Path, qe_python: str, metric: str) -> UpStack:
    (folder / "no_terms.tsv").write_text("source\ttarget\n")
    (folder / "no_corrections").mkdir()
    return UpStack(
        folder,
        # These models know their sentences and nothing else: no terms, no context.
        GLOSSA_STT_CORRECTIONS_DIR=folder / "no_corrections",
        GLOSSA_MT_GLOSSARY_FILE=folder / "no_terms.tsv",
        GLOSSA_GATEWAY_TRANSLATE_CONTEXT_PAIRS="0",
        GLOSSA_MODELS_DIR=models_dir,
        GLOSSA_STT_ENGINE="faster_whisper",
        GLOSSA_STT_MODEL="whisper",
        GLOSSA_MT_RUNTIME="marian",
        GLOSSA_MT_MODEL=FINALS,
        GLOSSA_MT_DRAFT_RUNTIME="marian",
        GLOSSA_MT_DRAFT_MODEL=DRAFTS,
        GLOSSA_QE_PYTHON=qe_python,
        GLOSSA_QE_ENGINE="cometkiwi",
        GLOSSA_QE_MODEL=metric,
        GLOSSA_QE_DTYPE="float32",
        GLOSSA_QE_MARIAN_MODEL=DRAFTS,
        GLOSSA_QE_EMBEDDING_MODEL=EMBEDDING,
        GLOSSA_QE_THREADS="1",
        **{
            f"GLOSSA_COLLECTOR_{band.upper()}_THRESHOLD": least
            for band, least in THRESHOLDS.items()
        },
    )


@pytest.fixture(scope="module")
def sermon() -> Pcm:
    """Each sentence twice; what follows another is heard a little differently."""
    return with_pauses(*(spoken(sentence) for sentence in SENTENCES["en"] * 2))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(
    tmp_path_factory: pytest.TempPathFactory, models_dir: Path, qe_python: str
) -> AsyncIterator[UpStack]:
    stack = new_stack(tmp_path_factory.mktemp("stack"), models_dir, qe_python, METRIC)
    await stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def undisturbed(stack: UpStack, sermon: Pcm) -> str:
    """A session during which nothing died."""
    return await heard(stack, sermon)


@dataclass(frozen=True)
class Judged:
    """A pair as it ought to be kept."""

    source_text: str
    target_text: str
    score: float
    band: str


async def heard(stack: UpStack, sermon: Pcm) -> str:
    return (await speak(stack.speaker(speed=1.0), sermon)).session_id


def signals_of(scored: gateway_pb2.PairScored) -> dict[str, float | None]:
    return {
        signal.name: signal.value if signal.HasField("value") else None for signal in scored.signals
    }


def judged_by_hand(scored: gateway_pb2.PairScored) -> Judged | None:
    """None for a pair that is excluded."""
    source_text, target_text = scored.transcript.stable_text, scored.translation.text
    if len(source_text.split()) < 3 or not 0.8 <= len(target_text) / len(source_text) <= 2.5:
        return None
    signals = signals_of(scored)
    estimate, agreement = signals["translation_qe"], signals["marian_agreement"]
    quality = signals["heuristic_quality"] if estimate is None else estimate
    assert quality is not None
    assert agreement is not None
    confidence = 1 / (1 + math.exp(-10 * (scored.transcript.avg_logprob + 0.3)))
    score = 0.45 * quality + 0.35 * confidence + 0.20 * agreement
    reached = next((band for band, least in THRESHOLDS.items() if score >= least), "reject")
    repetition = signals["repetition"]
    is_doubted = (
        any(signals[rule] not in (None, 1.0) for rule in RULES_THAT_CAP)
        or (repetition is not None and repetition < 0.5)
        or bool(scored.transcript.flags or scored.translation.flags)
    )
    if reached == "accept" and (estimate is None or is_doubted):
        reached = "moderate"
    return Judged(source_text, target_text, score, reached)


async def judged_the_same_everywhere(
    stack: UpStack, session_id: str
) -> list[gateway_pb2.PairScored]:
    """A session's scored pairs by segment; fails unless Redis and the export are what they give."""
    events = await stack.events(session_id)
    finals = texts(events, "transcript")
    in_journal = {
        f"{session_id}/{event.pair_scored.transcript.segment_id}/"
        f"{event.pair_scored.translation.language}": event.pair_scored
        for event in events
        if event.HasField("pair_scored")
    }
    assert sorted(in_journal) == sorted(f"{session_id}/{segment}/es" for segment in finals)
    assert sum(event.HasField("pair_scored") for event in events) == len(in_journal)
    expected = {pair_id: judged_by_hand(scored) for pair_id, scored in in_journal.items()}
    kept = {pair_id: judged for pair_id, judged in expected.items() if judged is not None}

    stats = await stack.stats_after(events[-1].sequence, session_id)
    queued = {
        entry["pair_id"]: (band, entry)
        for band in BANDS
        for entry in stack.queued(session_id, band)
    }
    assert sorted(stack.queued_pair_ids(session_id)) == sorted(kept)
    assert sum(each.pair_count for each in stats.exclusions) == len(expected) - len(kept)
    exported = await stack.exported(session_id)
    assert sorted(line["pair_id"] for line in exported) == sorted(kept)
    for line in exported:
        judged, (band, entry) = kept[line["pair_id"]], queued[line["pair_id"]]
        assert float(entry["quality_score"]) == pytest.approx(judged.score, abs=1e-6)
        assert (band, entry["band"]) == (judged.band, judged.band)
        assert entry["source_text"] == judged.source_text
        assert entry["target_text"] == judged.target_text

        assert line["quality_score"] == float(entry["quality_score"])
        assert line["signals"] == signals_of(in_journal[line["pair_id"]])
        assert (line["band"], line["en"], line["es"]) == (
            judged.band,
            judged.source_text,
            judged.target_text,
        )
    return sorted(in_journal.values(), key=lambda scored: scored.transcript.segment_id)


async def test_each_final_is_scored_by_the_models_that_were_set(
    stack: UpStack, undisturbed: str, models_dir: Path, qe_python: str
) -> None:
    scored = await judged_the_same_everywhere(stack, undisturbed)
    assert [pair.transcript.stable_text for pair in scored] == list(SENTENCES["en"] * 2)
    estimates = predicted(
        qe_python,
        models_dir / METRIC,
        [(pair.transcript.stable_text, pair.translation.text) for pair in scored],
    )
    for pair, estimate in zip(scored, estimates, strict=True):
        assert pair.transcript.model == "faster_whisper/whisper"
        assert pair.translation.model == f"marian/{FINALS}"
        models = {signal.name: signal.model for signal in pair.signals}
        assert models["translation_qe"] == f"cometkiwi/{METRIC}"
        assert models["marian_agreement"] == f"cosine/{EMBEDDING} vs marian/{DRAFTS}"
        assert models["number_parity"] == "word-lists/1"
        assert models["heuristic_quality"] == "heuristic/1+apertium/spa-eng"
        signals = signals_of(pair)
        assert signals["translation_qe"] == pytest.approx(estimate, abs=1e-5)
        # Both Marians know these sentences by heart.
        assert signals["marian_agreement"] == pytest.approx(1.0, abs=1e-5)


async def test_what_dies_in_the_middle_changes_nothing_in_the_end(
    stack: UpStack, undisturbed: str, sermon: Pcm
) -> None:
    calm = await judged_the_same_everywhere(stack, undisturbed)
    speaker = stack.speaker(speed=1.0)
    speaking = asyncio.create_task(speak(speaker, sermon))

    async def share_is_sent(share: float) -> None:
        while speaker.sent_s < share * len(sermon) / 16_000:
            assert not speaking.done(), "the session ended before anything died"
            await asyncio.sleep(0.05)

    await share_is_sent(0.3)
    killed = asyncio.create_task(stack.kill_service("qe"))  # it is away for the rest of it
    await share_is_sent(0.5)
    with stack.redis() as connection:
        connection.flushall()
    await share_is_sent(0.7)
    await stack.kill_service("collector")
    session_id = (await speaking).session_id
    await killed

    troubled = await judged_the_same_everywhere(stack, session_id)
    for before, after in zip(calm, troubled, strict=True):
        assert after.transcript.stable_text == before.transcript.stable_text
        assert after.translation.text == before.translation.text
        assert signals_of(after) == pytest.approx(signals_of(before), abs=1e-5)
    # What had been collected before Redis was emptied is there again, too.
    await judged_the_same_everywhere(stack, undisturbed)


async def test_without_its_model_nothing_is_accepted_and_everything_else_goes_on(
    stack: UpStack,
    undisturbed: str,
    tmp_path: Path,
    models_dir: Path,
    qe_python: str,
    sermon: Pcm,
) -> None:
    assert stack.queued(undisturbed, "accept")
    bare = new_stack(tmp_path, models_dir, qe_python, "not-pulled")
    await bare.start()
    try:
        session_id = await heard(bare, sermon)
        scored = await judged_the_same_everywhere(bare, session_id)
        assert list(SENTENCES["en"] * 2) == [pair.transcript.stable_text for pair in scored]
        for pair in scored:
            assert signals_of(pair)["translation_qe"] is None
            assert {s.name: s.model for s in pair.signals}["translation_qe"] == (
                "cometkiwi: MODEL_MISSING"
            )
        entries = bare.queued(session_id)
        assert any(float(e["quality_score"]) >= THRESHOLDS["accept"] for e in entries)
        assert "accept" not in {entry["band"] for entry in entries}
    finally:
        assert bare.stop() == 0
