"""Clips and transcripts for training a recogniser, as HuggingFace's `audiofolder` reads them.

    audio/<language>/train/metadata.jsonl            a clip a line, `file_name` from this folder on
    audio/<language>/train/<session>/<segment>.flac  16 kHz mono, 16 bit

`datasets.load_dataset("audiofolder", data_dir="audio/<language>")` takes `train/` for the split,
the lines of metadata.jsonl for the rows and every further key for a column. Each line has the same
keys and types, so that a column has one type (Datasets documentation, "Create an audio dataset",
AudioFolder); null is only the quality of a pair that was never scored.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ, ms_to_samples
from services.collector.candidate import Candidate
from services.collector.row import Row, Tier

METADATA = "metadata.jsonl"
# On either side of the speech: a recogniser's offsets are that exact, and a soft consonant more is
# worth more than a clean cut.
PADDING_MS = 100
MAX_CLIP_MS = 30_000  # Whisper's window (Radford et al. 2022, section 2.2): the rest would be lost

NO_CONSENT = "no_consent"
AUDIO_DELETED = "audio_deleted"
INCOMPLETE = "audio_incomplete"
TOO_LONG = "too_long"


class SessionAudio(Protocol):
    """The sound of sessions, as far as it was kept."""

    async def has_consent(self, session_id: str) -> bool:
        """Whether the session's speaker agreed that its audio is kept."""
        ...

    async def read(self, session_id: str, first_sample: int, end_sample: int) -> bytes | None:
        """Samples as 16-bit little-endian PCM, fewer where the session ends; None: not kept."""
        ...


@dataclass(frozen=True, slots=True)
class Clip:
    """A segment and what was said in it.

    Args:
        candidate: the pair that says so.
    """

    candidate: Candidate

    @property
    def first_sample(self) -> int:
        return ms_to_samples(max(0, self.candidate.start_offset_ms - PADDING_MS))

    @property
    def end_sample(self) -> int:
        return ms_to_samples(self.candidate.end_offset_ms + PADDING_MS)

    @property
    def is_too_long(self) -> bool:
        return self.end_sample - self.first_sample > ms_to_samples(MAX_CLIP_MS)

    def is_whole(self, pcm: bytes) -> bool:
        """Whether the samples reach to the end of the speech; the padding may lack."""
        end_sample = self.first_sample + len(pcm) // BYTES_PER_SAMPLE
        return end_sample >= ms_to_samples(self.candidate.end_offset_ms)


def session_folder(session_id: str) -> str:
    """The folder of a session's clips: its id, as far as a file system takes it."""
    return quote(session_id, safe="")


def clips(rows: Iterable[Row]) -> list[Clip]:
    """One clip for each segment of the first tier, whatever languages it was translated into.

    Its text is the source text as a person decided, else the recogniser's; of several pairs that
    of the one scored last.
    """
    newest: dict[tuple[str, int], Candidate] = {}
    for row in rows:
        candidate = row.candidate
        if row.tier is Tier.ACCEPTED and candidate is not None:
            segment = candidate.session_id, candidate.segment_id
            known = newest.get(segment)
            if known is None or _authority(known) < _authority(candidate):
                newest[segment] = candidate
    return [Clip(newest[segment]) for segment in sorted(newest)]


def _authority(candidate: Candidate) -> tuple[bool, int]:
    return candidate.is_gold, candidate.sequence


async def write(
    folder: Path,
    wanted: Sequence[Clip],
    source: SessionAudio,
    written: Callable[[], None] = lambda: None,
) -> dict[str, dict[str, int]]:
    """Writes the clips whose audio was kept, below `folder`.

    Args:
        written: called after each clip, whether there was audio or not.

    Returns:
        Clips left out: {reason: {session id: clips}}.
    """
    skipped: dict[str, Counter[str]] = {}
    consents: dict[str, bool] = {}
    lines: dict[str, list[str]] = {}
    for clip in wanted:
        session_id = clip.candidate.session_id
        if session_id not in consents:
            consents[session_id] = await source.has_consent(session_id)
        reason = NO_CONSENT
        if consents[session_id]:
            reason = await _write_clip(folder, clip, source, lines)
        if reason:
            skipped.setdefault(reason, Counter())[session_id] += 1
        written()
    for language, metadata in lines.items():
        path = _split_folder(folder, language) / METADATA
        path.write_text("".join(metadata), encoding="utf-8")
    return {reason: dict(sessions) for reason, sessions in sorted(skipped.items())}


async def _write_clip(
    folder: Path, clip: Clip, source: SessionAudio, lines: dict[str, list[str]]
) -> str:
    """Why the clip is left out; empty when it is there."""
    if clip.is_too_long:
        return TOO_LONG
    candidate = clip.candidate
    pcm = await source.read(candidate.session_id, clip.first_sample, clip.end_sample)
    if pcm is None:
        return AUDIO_DELETED
    if not clip.is_whole(pcm):
        return INCOMPLETE
    file_name = f"{session_folder(candidate.session_id)}/{candidate.segment_id}.flac"
    _write_flac(_split_folder(folder, candidate.source_language) / file_name, pcm)
    line = json.dumps(
        {
            "file_name": file_name,
            "transcription": candidate.source_text,
            "session_id": candidate.session_id,
            "pair_id": candidate.pair_id,
            "language": candidate.source_language,
            "duration_ms": len(pcm) // BYTES_PER_SAMPLE * 1000 // SAMPLE_RATE_HERTZ,
            "decision": candidate.decision.value if candidate.decision else "undecided",
            "quality": candidate.quality_score,
        },
        ensure_ascii=False,
        allow_nan=False,
    )
    lines.setdefault(candidate.source_language, []).append(line + "\n")
    return ""


def _split_folder(folder: Path, language: str) -> Path:
    return folder / language / "train"


def _write_flac(path: Path, pcm: bytes) -> None:
    import numpy as np
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.frombuffer(pcm, dtype="<i2")
    soundfile.write(path, samples, SAMPLE_RATE_HERTZ, format="FLAC", subtype="PCM_16")
