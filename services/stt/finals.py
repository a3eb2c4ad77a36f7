"""What becomes of a closed segment: decoded, judged, perhaps decoded once more, corrected.

A doubtful or refused decode gets one second pass, by the fallback model where there is one, else at
another temperature where the engine has one; without the context, which may be what misled the
first. The better of the two counts. Where finals wait there is none: on a slow machine the delay
would grow without end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import prometheus_client
import structlog

from services.audio import samples_to_ms
from services.errors import EngineFailed
from services.stt.context import SpokenContext
from services.stt.corrections import Corrected, Corrections
from services.stt.engine import Decoding, Hypothesis, HypothesisWord, Samples
from services.stt.events import Final, FinalFlag, FinalWord, Outcome, Suppressed
from services.stt.filters import (
    FinalFigures,
    Limits,
    SuppressionReason,
    Verdict,
    combined_no_speech_prob,
    compression_ratio,
    judge,
)
from services.stt.policy import SegmentClosed
from services.stt.recogniser import Recogniser
from services.stt.segment import ClosedSegment
from services.stt.tiers import Tiers
from services.swap import Swap

log = structlog.get_logger()

# As Whisper's own second try but one (openai/whisper, transcribe.py: 0.0, 0.2, 0.4 ...).
SECOND_TEMPERATURE = 0.4
_MAX_MUSIC_SHARE = 0.5

SEGMENTS = prometheus_client.Counter(
    "glossa_stt_segments_total", "Segments by outcome.", ["outcome"]
)
SUPPRESSIONS = prometheus_client.Counter(
    "glossa_stt_suppressions_total", "Finals that were not shown, by reason.", ["reason"]
)
FLAGS = prometheus_client.Counter(
    "glossa_stt_flags_total", "Finals that were shown though doubtful, by flag.", ["flag"]
)
SECOND_PASSES = prometheus_client.Counter(
    "glossa_stt_second_passes_total",
    "Second decodes of doubtful finals: better, no_better, failed, or left out (busy).",
    ["outcome"],
)
CORRECTIONS = prometheus_client.Counter(
    "glossa_stt_corrections_total", "Misheard terms that were mended in finals."
)


@dataclass(frozen=True)
class _Take:
    """One decode of a segment and what is thought of it."""

    hypothesis: Hypothesis
    figures: FinalFigures
    verdict: Verdict
    model: str
    engine_ms: float
    queue_ms: float

    @property
    def rank(self) -> tuple[bool, int, float]:
        """The greater the better."""
        avg_logprob = self.hypothesis.avg_logprob
        known = avg_logprob is not None and not math.isnan(avg_logprob)
        return (
            self.verdict.reason is None,
            -len(self.verdict.flags),
            avg_logprob if known and avg_logprob is not None else -math.inf,
        )


class Finals:
    """Makes the finals of one stream, in order.

    Args:
        phrases: words and names to expect.
        is_behind: whether the stream's next segment waits while somebody speaks.
    """

    def __init__(
        self,
        tiers: Tiers,
        language: str,
        phrases: tuple[str, ...],
        corrections: Corrections,
        context: SpokenContext,
        is_behind: Callable[[], bool],
    ) -> None:
        self._tiers = tiers
        self._language = language
        self._phrases = phrases
        self._corrections = corrections
        self._context = context
        self._is_behind = is_behind

    async def outcome(self, closed: ClosedSegment) -> Outcome:
        """Raises EngineFailed when the first pass failed."""
        boundary = closed.boundary
        # Waiting behind the segment before it is waiting for the engine, too.
        waited_ms = (time.monotonic() - closed.closed_at_s) * 1000
        if boundary.music_share > _MAX_MUSIC_SHARE:
            log.info(
                "segment",
                segment_id=closed.segment.segment_id,
                outcome="music",
                cause=boundary.cause,
                audio_ms=_audio_ms(boundary),
            )
            return self._suppressed(closed, "music", "")
        take, flags = await self._best_take(closed)
        take = replace(
            take, engine_ms=take.engine_ms + waited_ms, queue_ms=take.queue_ms + waited_ms
        )
        self._log(closed, take)
        if take.verdict.reason is not None:
            return self._suppressed(closed, take.verdict.reason, take.hypothesis.text)
        return self._final(closed, take, flags)

    async def _best_take(self, closed: ClosedSegment) -> tuple[_Take, tuple[FinalFlag, ...]]:
        async with self._tiers.final.lease() as recogniser:
            start_ms = samples_to_ms(closed.boundary.first_sample)
            decoding = Decoding(self._language, self._phrases, self._context.before(start_ms))
            first = await self._take(recogniser, closed, decoding)
            if not _is_worth_another(first.verdict):
                return first, first.verdict.flags
            if recogniser.has_waiting_finals or self._is_behind():  # they come first
                SECOND_PASSES.labels("busy").inc()
                return first, first.verdict.flags
        second = await self._second_take(closed)
        if second is None:
            return first, first.verdict.flags
        is_better = second.rank > first.rank
        SECOND_PASSES.labels("better" if is_better else "no_better").inc()
        take = replace(
            second if is_better else first,
            engine_ms=first.engine_ms + second.engine_ms,
            queue_ms=first.queue_ms + second.queue_ms,
        )
        return take, (*take.verdict.flags, *(("second_pass",) if is_better else ()))

    async def _second_take(self, closed: ClosedSegment) -> _Take | None:
        fallback = self._tiers.fallback(self._language)
        swap: Swap[Recogniser] = fallback or self._tiers.final
        temperature = 0.0 if fallback is not None else SECOND_TEMPERATURE
        decoding = Decoding(self._language, self._phrases, temperature=temperature)
        async with swap.lease() as recogniser:
            if temperature and not recogniser.capabilities.uses_temperature:
                return None
            try:
                return await self._take(recogniser, closed, decoding)
            except EngineFailed:  # the first take is there
                SECOND_PASSES.labels("failed").inc()
                return None

    async def _take(
        self, recogniser: Recogniser, closed: ClosedSegment, decoding: Decoding
    ) -> _Take:
        boundary = closed.boundary
        start_ms = samples_to_ms(boundary.first_sample)
        samples: Samples = closed.samples
        recognition = await recogniser.transcribe(samples, decoding)
        hypothesis = recognition.hypothesis
        figures = _figures(hypothesis, boundary)
        limits = Limits.of(recogniser.capabilities)
        verdict = judge(figures, limits, self._context.last_final(start_ms))
        return _Take(
            hypothesis,
            figures,
            verdict,
            recogniser.label,
            recognition.engine_ms,
            recognition.queue_ms,
        )

    def _log(self, closed: ClosedSegment, take: _Take) -> None:
        boundary = closed.boundary
        log.info(
            "segment",
            segment_id=closed.segment.segment_id,
            outcome=take.verdict.reason or "final",
            cause=boundary.cause,
            audio_ms=_audio_ms(boundary),
            words=len(take.hypothesis.words),
            flags=",".join(take.verdict.flags),
            avg_logprob=_rounded(take.figures.avg_logprob),
            no_speech_prob=_rounded(take.figures.no_speech_prob),
            model=take.model,
            engine_ms=round(take.engine_ms),
            engine_queue_ms=round(take.queue_ms),
        )
        log.debug("segment_text", segment_id=closed.segment.segment_id, text=take.hypothesis.text)

    def _suppressed(
        self, closed: ClosedSegment, reason: SuppressionReason, text: str
    ) -> Suppressed:
        SEGMENTS.labels("suppressed").inc()
        SUPPRESSIONS.labels(reason).inc()
        self._context.note_suppressed()
        return Suppressed(
            closed.segment.segment_id,
            reason,
            samples_to_ms(closed.boundary.first_sample),
            samples_to_ms(closed.boundary.speech_end_sample),
            "" if reason in ("music", "no_words") else text,
        )

    def _final(self, closed: ClosedSegment, take: _Take, flags: tuple[FinalFlag, ...]) -> Final:
        boundary = closed.boundary
        start_ms = samples_to_ms(boundary.first_sample)
        end_ms = samples_to_ms(boundary.speech_end_sample)
        corrected = self._corrections.apply(take.hypothesis.words)
        SEGMENTS.labels("final").inc()
        CORRECTIONS.inc(len(corrected.corrections))
        for flag in flags:
            FLAGS.labels(flag).inc()
        self._context.note_final(corrected.text, start_ms, end_ms, is_doubtful=bool(flags))
        return Final(
            segment_id=closed.segment.segment_id,
            revision=1,  # set when it is told: a partial may still come before it
            text=corrected.text,
            words=tuple(_words(corrected, take.hypothesis.words, start_ms, end_ms)),
            start_offset_ms=start_ms,
            end_offset_ms=end_ms,
            endpoint_offset_ms=samples_to_ms(boundary.endpoint_sample),
            avg_logprob=take.figures.avg_logprob,
            no_speech_prob=take.figures.no_speech_prob,
            compression_ratio=take.figures.compression_ratio,
            engine_ms=take.engine_ms,
            engine_queue_ms=take.queue_ms,
            model=take.model,
            corrections=corrected.corrections,
            homophones=corrected.homophones,
            flags=flags,
        )


def _is_worth_another(verdict: Verdict) -> bool:
    """Nothing said, or sung, stays so however often it is decoded."""
    if verdict.reason in ("music", "no_words"):
        return False
    return verdict.reason is not None or bool(verdict.flags)


def _figures(hypothesis: Hypothesis, boundary: SegmentClosed) -> FinalFigures:
    text = hypothesis.text
    spoken_samples = boundary.speech_end_sample - boundary.speech_first_sample
    return FinalFigures(
        text=text,
        avg_logprob=hypothesis.avg_logprob,
        no_speech_prob=combined_no_speech_prob(
            boundary.speech_probability, hypothesis.no_speech_prob
        ),
        compression_ratio=compression_ratio(text),
        duration_s=samples_to_ms(spoken_samples) / 1000,
        engine_no_speech_prob=hypothesis.no_speech_prob,
    )


def _words(
    corrected: Corrected, heard: Sequence[HypothesisWord], start_ms: int, end_ms: int
) -> list[FinalWord]:
    """The shown words with the times of those that they stand for, and the least of their odds."""
    words = []
    for word in corrected.words:
        span = heard[word.first_word : word.end_word]
        known = [one.probability for one in span if one.probability is not None]
        words.append(
            FinalWord(
                word.text,
                min(start_ms + span[0].start_ms, end_ms),
                min(start_ms + span[-1].end_ms, end_ms),
                min(known) if len(known) == len(span) else None,
            )
        )
    return words


def _audio_ms(boundary: SegmentClosed) -> int:
    return samples_to_ms(boundary.speech_end_sample - boundary.first_sample)


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 2)
