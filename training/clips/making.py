"""Makes one recording's clips: reads, cuts, judges, transcribes, and writes them with a report."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.audio import SAMPLE_RATE_HERTZ, samples_to_ms
from services.errors import InvalidInput
from services.stt.engine import Samples
from services.stt.vad import VoiceActivityModel
from training.clips import gates as clip_gates
from training.clips import sound as clip_sound
from training.clips.heard_audio import HeardAudio, Span, hear, read_samples
from training.clips.pseudo_labels import Doubt, Label, Labeller
from training.clips.recordings import Piece, Recording
from training.run_folder import fingerprint

_NO_SPEECH = "no_speech"
_MUSIC = "music"
# A text of a whole sermon says nothing of what is said in one of its clips.
_TEXT_WITHOUT_TIMES = "text_without_times"
_NO_TRANSCRIPT = "no_transcript"


@dataclass(frozen=True)
class ClipMaker:
    """
    Args:
        labeller: None where every recording brings its transcripts.
        denoises: whether steady noise is taken out of what passed.
    """

    limits: clip_gates.Limits
    voice_activity: VoiceActivityModel
    labeller: Labeller | None
    denoises: bool

    def make(self, recording: Recording, folder: Path) -> dict[str, Any]:
        """Writes the clips into `folder`/<key>, anew, and gives the report.

        Returns:
            `clips`: a line of metadata.jsonl each; `refused`: clips by reason; `audio_s`.

        Raises:
            EngineFailed: the recogniser broke.
        """
        shutil.rmtree(folder / recording.key, ignore_errors=True)
        clips: list[dict[str, Any]] = []
        refused: Counter[str] = Counter()
        audio_s = 0.0
        for piece in recording.pieces:
            try:
                samples = _samples_of(piece)
            except InvalidInput as error:
                refused[error.reason.lower()] += 1
                continue
            audio_s += len(samples) / SAMPLE_RATE_HERTZ
            heard = hear(samples, self.voice_activity)
            for span in self._spans(heard, piece):
                outcome = self._clip(heard, span, piece)
                if isinstance(outcome, str):
                    refused[outcome] += 1
                    continue
                sound, row = outcome
                name = f"{recording.key}/{len(clips):05d}.flac"
                _write_flac(folder / name, sound)
                row |= {"accent": recording.accent, "language": recording.language}
                row["source_sha256"] = fingerprint(piece.path)
                clips.append({"file_name": name, "session_id": recording.group, **row})
        return {"clips": clips, "refused": dict(sorted(refused.items())), "audio_s": audio_s}

    def _spans(self, heard: HeardAudio, piece: Piece) -> Iterator[Span]:
        if piece.text:
            yield heard.whole()
            return
        spans = heard.spans(int(self.limits.max_s * 1000))
        yield from spans or [heard.whole()]

    def _clip(
        self, heard: HeardAudio, span: Span, piece: Piece
    ) -> str | tuple[Samples, dict[str, Any]]:
        """The clip's sound and line, or why it is refused."""
        samples = heard.samples[span.first_sample : span.end_sample]
        if not span.spoken_samples:
            return _NO_SPEECH
        if span.is_music:
            return _MUSIC
        if piece.text and len(samples) > self.limits.max_s * SAMPLE_RATE_HERTZ:
            return _TEXT_WITHOUT_TIMES if piece.end_s is None else "too_long"
        loudness_lufs = clip_sound.loudness_lufs(samples)
        figures = clip_gates.measure(heard, span, loudness_lufs)
        if reason := clip_gates.refusal(figures, self.limits):
            return reason
        if self.denoises and figures.noise_power is not None:
            samples = clip_sound.denoised(samples, figures.noise_power)
            loudness_lufs = clip_sound.loudness_lufs(samples)
        if not math.isfinite(loudness_lufs):
            return "too_quiet"
        samples = clip_sound.normalised(samples, loudness_lufs)
        label = self._label(samples, span, piece)
        if isinstance(label, Doubt):
            return label.reason
        return samples, {
            "transcription": label.text,
            "pair_id": "",
            "decision": "given" if piece.text else "undecided",
            "quality": None,
            **_kept(piece),
            "duration_ms": samples_to_ms(len(samples)),
            "confidence": None if label.confidence is None else round(label.confidence, 3),
            "snr_db": None if figures.snr_db is None else round(figures.snr_db, 1),
            "start_ms": round(piece.start_s * 1000) + samples_to_ms(span.first_sample),
        }

    def _label(self, samples: Samples, span: Span, piece: Piece) -> Label | Doubt:
        if piece.text:
            return Label(piece.text, None)
        if self.labeller is None:
            return Doubt(_NO_TRANSCRIPT)
        return self.labeller.label(samples, span)


def _samples_of(piece: Piece) -> Samples:
    """Raises InvalidInput for a file that cannot be read or used."""
    samples = read_samples(piece.path)
    first = round(piece.start_s * SAMPLE_RATE_HERTZ)
    end = len(samples) if piece.end_s is None else round(piece.end_s * SAMPLE_RATE_HERTZ)
    if not 0 <= first < min(end, len(samples)):
        raise InvalidInput("TIMES_OUTSIDE", f"{piece.path} has nothing at {piece.start_s} s")
    return samples[first:end]


def _kept(piece: Piece) -> dict[str, Any]:
    """What the collector says of a clip, of a fixed set of names: columns have one type."""
    return {name: piece.origin[name] for name in ("pair_id", "decision", "quality") if piece.origin}


def _write_flac(path: Path, samples: Samples) -> None:
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, SAMPLE_RATE_HERTZ, format="FLAC", subtype="PCM_16")
