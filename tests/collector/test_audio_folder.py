"""Clips for training a recogniser, from a real gateway's journal and audio."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from cli.session_audio import gateway_audio
from services.audio import SAMPLE_RATE_HERTZ, ms_to_samples, samples_to_ms
from services.collector import audio_folder, snapshot
from services.collector.audio_folder import PADDING_MS, Clip, clips
from services.collector.candidate import Candidate
from services.collector.pair import Decision
from services.collector.row import Tier
from services.errors import GlossaError
from tests.collector.candidates import candidate, row
from tests.gateway.conftest import Stack
from tests.gateway.peers import SILENCE_SAMPLES, SPEECH_SAMPLES, sermon
from tests.speech import Pcm


@pytest_asyncio.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Stack]:
    stack = Stack(tmp_path / "gateway")
    stack.folder.mkdir()
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()


def segment(number: int, session_id: str, **changes: Any) -> Candidate:
    """The pair of the `number`th sentence of a sermon."""
    start = (number - 1) * (SPEECH_SAMPLES + 2 * SILENCE_SAMPLES)
    return candidate(
        number,
        f"Sentence {number} was said",
        session_id=session_id,
        start_offset_ms=samples_to_ms(start),
        end_offset_ms=samples_to_ms(start + SPEECH_SAMPLES),
        **changes,
    )


def expected_samples(pcm: Pcm, pair: Candidate) -> Pcm:
    first = ms_to_samples(max(0, pair.start_offset_ms - PADDING_MS))
    return pcm[first : ms_to_samples(pair.end_offset_ms + PADDING_MS)]


def metadata(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "en" / "train" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


async def write(
    gateway: Stack, folder: Path, candidates: list[Candidate], **more: Any
) -> dict[str, dict[str, int]]:
    async with gateway_audio(gateway.gateway.address) as source:
        return await audio_folder.write(folder, clips(map(row, candidates)), source, **more)


async def test_a_clip_has_the_very_samples_that_were_said(gateway: Stack, tmp_path: Path) -> None:
    pcm = sermon([1, 2, 3])
    session_id = await gateway.speak(pcm, store_audio=True)
    fixed = segment(2, session_id, decision=Decision.FIXED, band="corrected", quality_score=1.0)
    pairs = [segment(1, session_id), fixed, segment(3, session_id)]
    assert await write(gateway, tmp_path / "audio", pairs) == {}
    lines = metadata(tmp_path / "audio")
    assert [line["file_name"] for line in lines] == [f"{session_id}/{n}.flac" for n in (1, 2, 3)]
    for pair, line in zip(pairs, lines, strict=True):
        path = tmp_path / "audio" / "en" / "train" / line["file_name"]
        samples, rate = soundfile.read(path, dtype="int16")
        assert rate == SAMPLE_RATE_HERTZ
        assert soundfile.info(path).subtype == "PCM_16"
        expected = expected_samples(pcm, pair)
        assert len(expected) >= SPEECH_SAMPLES
        np.testing.assert_array_equal(samples, expected)
    assert lines[1] == {
        "file_name": f"{session_id}/2.flac",
        "transcription": "Sentence 2 was said",
        "session_id": session_id,
        "pair_id": f"{session_id}/2/es",
        "language": "en",
        "duration_ms": 500,
        "decision": "fixed",
        "quality": 1.0,
    }


async def test_the_folder_is_as_audiofolder_wants_it(gateway: Stack, tmp_path: Path) -> None:
    """As documented: splits by folder, a line for each file, columns of one type."""
    sessions = [await gateway.speak(sermon([1, 2]), store_audio=True) for _ in range(2)]
    pairs = [segment(n, session_id) for session_id in sessions for n in (1, 2)]
    pairs[0] = segment(1, sessions[0], decision=Decision.ACCEPTED, quality_score=1.0)
    await write(gateway, tmp_path / "audio", pairs)
    assert [path.name for path in (tmp_path / "audio" / "en").iterdir()] == ["train"]
    split = tmp_path / "audio" / "en" / "train"
    lines = metadata(tmp_path / "audio")
    named = sorted(line["file_name"] for line in lines)
    assert named == sorted(str(path.relative_to(split)) for path in split.rglob("*.flac"))
    assert len(named) == 4
    kinds = [{name: type(value) for name, value in line.items()} for line in lines]
    assert all(kind == kinds[0] for kind in kinds)
    assert type(None) not in kinds[0].values()


async def test_sessions_without_kept_audio_are_named_and_left_out(
    gateway: Stack, tmp_path: Path
) -> None:
    kept = await gateway.speak(sermon([1, 2]), store_audio=True)
    silent = await gateway.speak(sermon([1, 2]))
    deleted = await gateway.speak(sermon([1]), store_audio=True)
    (gateway.folder / "audio" / f"{deleted}.s16le").unlink()
    pairs = [segment(n, session_id) for session_id in (kept, silent) for n in (1, 2)]
    pairs += [
        segment(1, deleted),
        segment(1, "of-another-journal"),
        segment(3, kept),  # beyond its end
        segment(4, kept, target_language="fr"),
    ]
    long = candidate(9, "Long", session_id=kept, start_offset_ms=0, end_offset_ms=30_000)
    skipped = await write(gateway, tmp_path / "audio", [*pairs, long])
    assert skipped == {
        "audio_deleted": {deleted: 1},
        "audio_incomplete": {kept: 2},
        "no_consent": {silent: 2, "of-another-journal": 1},
        "too_long": {kept: 1},
    }
    assert [line["file_name"] for line in metadata(tmp_path / "audio")] == [
        f"{kept}/1.flac",
        f"{kept}/2.flac",
    ]


async def test_a_gateway_that_dies_in_the_middle_leaves_nothing(
    gateway: Stack, tmp_path: Path
) -> None:
    session_id = await gateway.speak(sermon([1, 2, 3]), store_audio=True)
    pairs = [segment(n, session_id) for n in (1, 2, 3)]
    seen = []

    def kill_after_the_first() -> None:
        seen.extend(tmp_path.rglob("*.flac"))
        gateway.gateway.kill()

    async def make() -> None:
        with snapshot.being_written(tmp_path / "sets" / "one") as folder:
            await write(gateway, folder / "audio", pairs, written=kill_after_the_first)

    with pytest.raises(GlossaError):
        await make()
    assert len(seen) == 1
    assert list((tmp_path / "sets").iterdir()) == []


def test_a_segment_has_one_clip_with_the_text_that_a_person_decided() -> None:
    spanish = segment(1, "a")
    french = candidate(
        1, "Put right", session_id="a", target_language="fr", decision=Decision.FIXED
    )
    for rows in ([row(spanish), row(french)], [row(french), row(spanish)]):
        assert clips(rows) == [Clip(french)]
    assert clips([row(spanish, Tier.DIVERSITY), row(None, Tier.GENERAL, "How are you?")]) == []


@given(st.integers(0, 10_000_000), st.integers(1, 40_000))
def test_a_clip_holds_its_speech_and_a_little_more(start_ms: int, length_ms: int) -> None:
    clip = Clip(candidate(1, "x", start_offset_ms=start_ms, end_offset_ms=start_ms + length_ms))
    assert 0 <= clip.first_sample <= ms_to_samples(start_ms)
    assert clip.end_sample >= ms_to_samples(start_ms + length_ms)
    duration = clip.end_sample - clip.first_sample
    assert duration <= ms_to_samples(length_ms + 2 * PADDING_MS)
    assert clip.is_too_long == (duration > 30 * SAMPLE_RATE_HERTZ)
    assert clip.is_whole(bytes(2 * duration))
    speech_only = ms_to_samples(start_ms + length_ms) - clip.first_sample
    assert clip.is_whole(bytes(2 * speech_only))
    assert not clip.is_whole(bytes(2 * (speech_only - 1)))
