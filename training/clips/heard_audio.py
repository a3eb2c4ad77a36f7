"""A recording as voice activity hears it, cut into clips that hold speech and little else.

Cut where somebody pauses, merged again to nearly Whisper's window (the "VAD Cut & Merge" of Bain et
al. 2023, WhisperX, section 2.1): short clips cost as much to train on as long ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cli.media import AudioFile
from services.audio import SAMPLE_RATE_HERTZ, ms_to_samples
from services.errors import InvalidInput
from services.stt.engine import Samples
from services.stt.music import MusicDetector
from services.stt.policy import SegmentationPolicy, SegmentClosed, Segmenter
from services.stt.policy import Window as PolicyWindow
from services.stt.vad import WINDOW_SAMPLES, VoiceActivity, VoiceActivityModel

# Whisper hears no more than 16 kHz have; what was recorded with less lacks the consonants.
MIN_RATE_HERTZ = SAMPLE_RATE_HERTZ
# Shorter pauses than live, for more places to cut at, and no cut amid words while there is one.
_POLICY = SegmentationPolicy(end_silence_ms=400, max_segment_ms=28_000)
# More silence than this within a clip is wasted window.
_MAX_PAUSE_MS = 2_000
_MAX_MUSIC_SHARE = 0.5


@dataclass(frozen=True)
class Span:
    """A clip to be.

    Args:
        speech_probability: voice activity's mean where it hears speech, [0, 1]; the least of what
            was merged.
        spoken_samples: from the first speech to the last.
    """

    first_sample: int
    end_sample: int
    speech_probability: float
    spoken_samples: int
    is_music: bool = False

    @property
    def sample_count(self) -> int:
        return self.end_sample - self.first_sample


@dataclass(frozen=True)
class HeardAudio:
    """Samples and, for each window of WINDOW_SAMPLES, what is known of it.

    Args:
        speech: probability of speech, float32, [0, 1].
        power: mean square, float32, against full scale.
        is_music: whether people sing.
    """

    samples: Samples
    speech: NDArray[np.float32]
    power: NDArray[np.float32]
    is_music: NDArray[np.bool_]

    def windows(self, first_sample: int, end_sample: int) -> slice:
        """The windows that lie in these samples."""
        return slice(max(first_sample, 0) // WINDOW_SAMPLES, -(-end_sample // WINDOW_SAMPLES))

    def whole(self) -> Span:
        """All of it as one clip."""
        spoken = np.flatnonzero(self.speech >= _POLICY.start_threshold)
        probabilities = self.speech[spoken]
        return Span(
            0,
            len(self.samples),
            float(probabilities.mean()) if len(spoken) else 0.0,
            int(np.ptp(spoken) + 1) * WINDOW_SAMPLES if len(spoken) else 0,
            is_music=bool(len(spoken)) and bool(self.is_music[spoken].mean() > _MAX_MUSIC_SHARE),
        )

    def spans(self, max_clip_ms: int) -> list[Span]:
        """Speech and song in order, each at most that long; song is not merged with speech."""
        merged: list[Span] = []
        for span in map(_span, self._segments()):
            before = merged[-1] if merged else None
            if before is not None and _fit(before, span, max_clip_ms):
                merged[-1] = Span(
                    before.first_sample,
                    span.end_sample,
                    min(before.speech_probability, span.speech_probability),
                    before.spoken_samples + span.spoken_samples,
                    before.is_music,
                )
            else:
                merged.append(span)
        return merged

    def _segments(self) -> Iterator[SegmentClosed]:
        segmenter = Segmenter(_POLICY)
        for index in range(len(self.speech)):
            first = index * WINDOW_SAMPLES
            boundaries = segmenter.accept(
                PolicyWindow(
                    first,
                    min(first + WINDOW_SAMPLES, len(self.samples)),
                    float(self.speech[index]),
                    float(self.power[index]) ** 0.5,
                    bool(self.is_music[index]),
                )
            )
            yield from (one for one in boundaries if isinstance(one, SegmentClosed))
        yield from (one for one in segmenter.finish("finish") if isinstance(one, SegmentClosed))


def read_samples(path: Path) -> Samples:
    """A file of any format that FFmpeg reads, as mono at 16 kHz.

    Raises:
        InvalidInput: as AudioFile does; LOW_SAMPLE_RATE.
    """
    audio = AudioFile(str(path))
    if audio.sample_rate_hertz < MIN_RATE_HERTZ:
        audio.close()
        raise InvalidInput(
            "LOW_SAMPLE_RATE",
            f"{path} has {audio.sample_rate_hertz} samples a second; {MIN_RATE_HERTZ} are needed",
        )

    async def read() -> bytes:
        return b"".join([chunk.data async for chunk in audio.chunks()])

    pcm = np.frombuffer(asyncio.run(read()), dtype="<i2")
    return pcm.astype(np.float32) / np.float32(32768)


def hear(samples: Samples, model: VoiceActivityModel) -> HeardAudio:
    """Goes through all of it, window by window; the last is filled up with silence."""
    lacking = -len(samples) % WINDOW_SAMPLES
    windows = np.pad(samples, (0, lacking)).reshape(-1, WINDOW_SAMPLES)
    voice, music = VoiceActivity(model), MusicDetector()
    speech, is_music = [], []
    for index in range(len(windows)):
        window: Samples = windows[index]
        speech.append(voice.probability(window))
        is_music.append(music.accept(window, speech[-1]))
    return HeardAudio(
        samples,
        np.array(speech, dtype=np.float32),
        np.square(windows).mean(axis=1),
        np.array(is_music, dtype=np.bool_),
    )


def _span(closed: SegmentClosed) -> Span:
    return Span(
        closed.first_sample,
        closed.end_sample,
        closed.speech_probability,
        closed.speech_end_sample - closed.speech_first_sample,
        closed.music_share > _MAX_MUSIC_SHARE,
    )


def _fit(before: Span, span: Span, max_clip_ms: int) -> bool:
    return (
        before.is_music == span.is_music
        and span.first_sample - before.end_sample <= ms_to_samples(_MAX_PAUSE_MS)
        and span.end_sample - before.first_sample <= ms_to_samples(max_clip_ms)
    )
