"""The partials of one stream: when a step is made, what it settles, where the segment may end.

Finals come first. A decoder that follows along has to hear everything, so one that falls behind
gives the segment up; where the segment is decoded again each time, steps are left out instead.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Protocol

import prometheus_client

from services.audio import ms_to_samples, samples_to_ms
from services.errors import EngineFailed
from services.stt.agreement import Commitment, CommitPolicy, LocalAgreement
from services.stt.context import SpokenContext
from services.stt.corrections import Corrections
from services.stt.engine import Capabilities, Decoding, Samples
from services.stt.partial_text import StableText
from services.stt.policy import WordGap
from services.stt.recogniser import LivePartials, Recogniser
from services.stt.segment import Segment
from services.stt.sentences import last_sentence_end
from services.stt.tiers import Tiers
from services.swap import Swap

# A stream that got no decoder asks again: other streams end, and what broke is started again.
RETRY_S = 5.0
# A live decoder that is further behind than this gives up the segment's partials.
MAX_BACKLOG_MS = 4000

PARTIALS_SKIPPED = prometheus_client.Counter(
    "glossa_stt_partials_skipped_total",
    "Partials not made: no_decoder (5 s of a stream), behind (a segment), busy or failed (one).",
    ["reason"],
)


class Hearing(Protocol):
    """The stream that partials are made of."""

    audio_grew: asyncio.Event

    @property
    def open_segment(self) -> Segment | None:
        """The segment being spoken; None between segments and during music."""

    @property
    def heard_sample(self) -> int:
        """Samples below it can be had."""

    def samples(self, first_sample: int, end_sample: int) -> Samples: ...

    def settle(self, segment: Segment, gap: WordGap) -> None:
        """Tells where the segment's settled words end."""

    async def tell_partial(
        self, segment: Segment, stable: str, unstable: str, model: str
    ) -> None: ...


def commit_policy(capabilities: Capabilities) -> CommitPolicy:
    """What settles the words of an engine's partials."""
    return LocalAgreement(capabilities.held_back_words)


class _Following:
    """One segment as its partials go on, also where the model is replaced in the middle of it."""

    def __init__(self, segment: Segment, policy: CommitPolicy, text: StableText) -> None:
        self.segment = segment
        self.policy = policy
        self.text = text


class Partials:
    """Makes the partials of one stream.

    Args:
        interval_ms: audio between two partials; 0 for what suits the engine.
        min_sentence_ms: a sentence that ends sooner does not end the segment.
    """

    def __init__(
        self,
        hearing: Hearing,
        tiers: Tiers,
        decoding: Decoding,
        corrections: Corrections,
        context: SpokenContext,
        *,
        interval_ms: int,
        min_sentence_ms: int,
    ) -> None:
        self._hearing = hearing
        self._tiers = tiers
        self._decoding = decoding
        self._corrections = corrections
        self._context = context
        self._interval_ms = interval_ms
        self._min_sentence_ms = min_sentence_ms
        self._following: _Following | None = None

    async def run(self) -> None:
        """Makes partials until it is cancelled; a replaced model hands over to the next."""
        while True:
            swap = self._tiers.for_partials(self._decoding.language)
            async with swap.lease() as recogniser:
                waking = asyncio.create_task(self._wake_when_replaced(swap))
                try:
                    has_failed = not await self._follow(swap, recogniser)
                finally:
                    waking.cancel()
            if has_failed and swap.current is recogniser:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S):
                        await swap.replaced()

    async def _wake_when_replaced(self, swap: Swap[Recogniser]) -> None:
        await swap.replaced()
        self._hearing.audio_grew.set()

    async def _follow(self, swap: Swap[Recogniser], recogniser: Recogniser) -> bool:
        """Makes partials with one model until it is replaced; False when it makes none."""
        try:
            async with recogniser.live(self._decoding) as live:
                if live is None:
                    PARTIALS_SKIPPED.labels("no_decoder").inc()
                    return False
                begun: Segment | None = None  # with this model
                while swap.current is recogniser:
                    await self._hearing.audio_grew.wait()
                    self._hearing.audio_grew.clear()
                    segment = self._hearing.open_segment
                    if segment is None or not segment.gets_partials:
                        continue
                    if begun is not segment:
                        segment.fed_sample = segment.first_sample
                    if self._is_due(recogniser, live, segment):
                        await self._step(recogniser, live, segment, is_first=begun is not segment)
                        begun = segment
        except EngineFailed:
            PARTIALS_SKIPPED.labels("failed").inc()
            return False
        return True

    def _is_due(self, recogniser: Recogniser, live: LivePartials, segment: Segment) -> bool:
        """Whether enough came for another partial, and nothing is in its way."""
        backlog_samples = self._hearing.heard_sample - segment.fed_sample
        interval_ms = self._interval_ms or recogniser.capabilities.partial_step_ms
        interval_samples = ms_to_samples(interval_ms)
        if backlog_samples < interval_samples:
            return False
        if live.redecodes and self._must_wait(recogniser):
            return False  # what is left out is counted when the step is made
        if not live.redecodes and backlog_samples > ms_to_samples(MAX_BACKLOG_MS):
            segment.gets_partials = False
            PARTIALS_SKIPPED.labels("behind").inc()
            return False
        PARTIALS_SKIPPED.labels("busy").inc(backlog_samples // interval_samples - 1)
        return True

    def _must_wait(self, recogniser: Recogniser) -> bool:
        """Whether a step would delay a final."""
        return recogniser.has_finals or self._tiers.final.current.has_waiting_finals

    async def _step(
        self, recogniser: Recogniser, live: LivePartials, segment: Segment, *, is_first: bool
    ) -> None:
        end_sample = self._hearing.heard_sample
        samples = self._hearing.samples(segment.fed_sample, end_sample)
        segment.fed_sample = end_sample
        try:
            if is_first:
                await live.start(self._decoding_of(segment))
            hypothesis = await live.feed(samples)
        except EngineFailed:  # the final is decoded elsewhere
            segment.gets_partials = False
            PARTIALS_SKIPPED.labels("failed").inc()
            return
        if not hypothesis.words or segment.is_cut:  # the next segment has some of the words
            return
        following = self._follow_segment(segment, recogniser.capabilities)
        commitment = following.policy.accept(hypothesis)
        if recogniser.capabilities.word_times and segment.is_open:
            commitment = self._settle(segment, commitment)
        text = following.text.show(commitment)
        await self._hearing.tell_partial(segment, text.stable, text.unstable, recogniser.label)

    def _decoding_of(self, segment: Segment) -> Decoding:
        previous_text = self._context.before(samples_to_ms(segment.first_sample))
        return replace(self._decoding, previous_text=previous_text)

    def _follow_segment(self, segment: Segment, capabilities: Capabilities) -> _Following:
        if self._following is None or self._following.segment is not segment:
            text = StableText(self._corrections)
            self._following = _Following(segment, commit_policy(capabilities), text)
        return self._following

    def _settle(self, segment: Segment, commitment: Commitment) -> Commitment:
        """Says where the segment may end; ends its partials where a sentence does."""
        stable, unstable = commitment.stable, commitment.unstable
        if not stable:
            return commitment
        following = unstable[0].text if unstable else ""
        count = last_sentence_end([word.text for word in stable], following)
        is_end = count > 0 and stable[count - 1].end_ms >= self._min_sentence_ms
        if not is_end:
            count = len(stable)
        after = (*stable[count:], *unstable)
        first_sample = segment.first_sample
        after_sample = first_sample + ms_to_samples(stable[count - 1].end_ms)
        before_sample = segment.fed_sample
        if after:
            before_sample = first_sample + ms_to_samples(after[0].start_ms)
        self._hearing.settle(segment, WordGap(after_sample, before_sample, ends_sentence=is_end))
        if not is_end:
            return commitment
        # What comes after the sentence belongs to the next segment, and is shown there.
        segment.gets_partials = False
        return Commitment(stable[:count], ())
