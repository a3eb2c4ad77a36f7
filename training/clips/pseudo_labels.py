"""What a recogniser hears in a clip that nobody transcribed, unless it is in doubt.

It is judged as finals are judged live, and more strictly: a caption that is shown though doubtful
is no transcript to learn from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import services.stt
from services.audio import SAMPLE_RATE_HERTZ
from services.stt import filters
from services.stt.corrections import Corrections
from services.stt.engine import Decoding, Engine, Samples, match_language
from training.clips.heard_audio import Span

# Slow oratory has 100 words a minute, pauses included. With fewer, in so much speech that it can be
# told, the recogniser left some out: Whisper skips what lies behind a long pause.
_MIN_WORDS_PER_SPOKEN_S = 1.0
_MIN_SPOKEN_S = 5.0
_TOO_FEW_WORDS = "too_few_words"


@dataclass(frozen=True)
class Label:
    """A transcript.

    Args:
        confidence: exp of the mean log probability of what was decoded, (0, 1]; None when the
            engine gives none.
    """

    text: str
    confidence: float | None


@dataclass(frozen=True)
class Doubt:
    """Why there is no transcript: a reason of services.stt.filters, or one of ours."""

    reason: str


class Labeller:
    """Transcribes clips with an engine of stt.

    Args:
        min_confidence: None for what the engine's finals are flagged below, live.

    Raises:
        InvalidInput: UNSUPPORTED_LANGUAGE.
        Unavailable: CORRECTIONS_UNREADABLE.
    """

    def __init__(self, engine: Engine, language: str, min_confidence: float | None) -> None:
        self._engine = engine
        self._decoding = Decoding(match_language(language, engine.capabilities.languages))
        limits = filters.Limits.of(engine.capabilities)
        if min_confidence is not None:
            limits = replace(limits, flag_avg_logprob=math.log(min_confidence))
        self._limits = limits
        self._corrections = corrections(language)

    @property
    def name(self) -> str:
        return f"{self._engine.name}/{self._engine.model}"

    def label(self, samples: Samples, span: Span) -> Label | Doubt:
        """Raises EngineFailed."""
        heard = self._engine.transcribe(samples, self._decoding)
        spoken_s = span.spoken_samples / SAMPLE_RATE_HERTZ
        verdict = filters.judge(
            filters.FinalFigures(
                text=heard.text,
                avg_logprob=heard.avg_logprob,
                no_speech_prob=filters.combined_no_speech_prob(
                    span.speech_probability, heard.no_speech_prob
                ),
                compression_ratio=filters.compression_ratio(heard.text),
                duration_s=spoken_s,
                engine_no_speech_prob=heard.no_speech_prob,
            ),
            self._limits,
        )
        if verdict.reason is not None or verdict.flags:
            return Doubt(verdict.reason or verdict.flags[0])
        if spoken_s > _MIN_SPOKEN_S and len(heard.words) < spoken_s * _MIN_WORDS_PER_SPOKEN_S:
            return Doubt(_TOO_FEW_WORDS)
        confidence = None if heard.avg_logprob is None else math.exp(heard.avg_logprob)
        return Label(self._corrections.apply(heard.words).text, confidence)


def corrections(language: str) -> Corrections:
    """What stt mends in the language; nothing where it knows nothing."""
    path = Path(services.stt.__file__).with_name(f"corrections_{language}.tsv")
    return Corrections.read(path) if path.is_file() else Corrections()
