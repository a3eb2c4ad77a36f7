"""What happens to a final: its translations, then their scores; beside them a second mt's.

The work is what the journal says is owed, so a restart goes on where it stopped. A model that is
away is waited for; a text that a model refuses is journalled as refused. Quality never delays a
caption: scores have their own loop, and so have the translations that are only compared, which
are dropped where the others are waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import grpc
import structlog

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services import traces
from services.errors import NotFound, Unavailable, reason_of
from services.gateway import metrics
from services.gateway.context import SPARE_SEGMENTS, FinalContext, final_context
from services.gateway.journal import Journal
from services.gateway.last_drafts import Draft, LastDrafts, agreed, word_count
from services.gateway.models import Hints, Independent, Models, UnscoredPair, is_permanent, is_sound
from services.gateway.settings import GatewaySettings
from services.gateway.shown import ShownTexts
from services.gateway.transaction import Owed, Stage
from services.gateway.translated import (
    append_alternative,
    append_pair_scored,
    append_translation,
    append_translation_failed,
    drop_alternative,
    drop_alternatives,
)

log = structlog.get_logger()

_BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # then the last one again and again
# A text that fails this often while others get through is the cause itself (it crashes or hangs the
# engine), and is given up.
_POISON_ATTEMPTS = 5
# A comparison is worth this much patience with a second mt that is away or fails.
_ALTERNATIVE_PATIENCE_S = 60.0
# One at a time: on a shared device the second mt takes the least from the first.
_ALTERNATIVE_CONCURRENCY = 1
# Work in hand of one stage: more than fits the calls in flight, so that texts that fail again and
# again do not keep the others from their turn.
_PAGE = 64
# Displays get a growing text this often at most: nobody reads faster, and each goes to all of them.
_GROWTH_INTERVAL_S = 0.1


class Pipeline:
    """Translates and scores finals until cancelled."""

    def __init__(
        self,
        journal: Journal,
        models: Models,
        last_drafts: LastDrafts,
        shown: ShownTexts,
        publish_live: Callable[[gateway_pb2.LiveUpdate], None],
        settings: GatewaySettings,
    ) -> None:
        self._journal = journal
        self._models = models
        self._last_drafts = last_drafts
        self._shown = shown
        self._publish_live = publish_live
        self._settings = settings
        self._growths: dict[Owed, int] = {}  # texts of a final in hand that displays were given
        self._translations = _Worker(
            "translate",
            journal,
            settings.translate_concurrency,
            self._translate,
            self._give_up_translation,
        )
        self._scores = _Worker(
            "score", journal, settings.score_concurrency, self._score, self._give_up_score
        )
        self._alternatives = _Worker(
            "alternative",
            journal,
            _ALTERNATIVE_CONCURRENCY,
            self._compare,
            self._give_up_alternative,
            patience_s=_ALTERNATIVE_PATIENCE_S,
        )

    def committed(self, events: Sequence[gateway_pb2.JournalEvent]) -> None:
        """Wakes the loops for new work, and drops that of sessions that were forgotten."""
        for event in events:
            if event.WhichOneof("event") == "session_forgotten":
                self._forget(event.session_id)
        kinds = {event.WhichOneof("event") for event in events}
        if "transcript" in kinds:
            self._translations.wake.set()
            self._alternatives.wake.set()
        if "translation" in kinds:
            self._scores.wake.set()

    def is_behind(self) -> bool:
        """Whether so many finals wait that drafts must stand back."""
        return self._translations.owed_count > self._settings.draft_backlog_limit

    def _forget(self, session_id: str) -> None:
        for worker in (self._translations, self._scores, self._alternatives):
            worker.drop(session_id)
        for owed in [owed for owed in self._growths if owed.session_id == session_id]:
            del self._growths[owed]

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._translations.run())
            tasks.create_task(self._scores.run())
            if self._settings.mt_alternative_address:
                tasks.create_task(self._alternatives.run())
            else:
                with contextlib.suppress(Unavailable):  # the journal cannot be written now
                    await self._journal.write(drop_alternatives)

    async def _translate(self, owed: Owed, span: traces.Span) -> None:
        context = await self._context(owed)
        draft = self._last_drafts.get(owed.session_id, owed.segment_id, owed.language)
        stream = self._models.translate_final(
            context.transcript,
            owed.language,
            self._hints(context, draft),
            timeout_s=self._settings.translate_timeout_s,
            metadata=span.metadata,
        )
        next_growth_at = 0.0
        async with contextlib.aclosing(stream) as translations:
            async for translation in translations:
                if translation.is_final:
                    translation.stable_text = translation.text
                    if owed in self._growths:
                        translation.revision += self._growths[owed] + 1
                    translation.erased_word_count = self._shown.erased_by(
                        owed.session_id, owed.segment_id, owed.language, translation.text
                    )
                    await self._journal.write(append_translation, owed, translation)
                    self._growths.pop(owed, None)
                    _observe("translate", translation)
                    span.set(model=translation.model)
                elif time.monotonic() >= next_growth_at and self._show(owed, translation, draft):
                    next_growth_at = time.monotonic() + _GROWTH_INTERVAL_S

    def _show(self, owed: Owed, translation: types_pb2.Translation, draft: Draft | None) -> bool:
        """Shows a final that is still growing, once it is no shorter than the draft it replaces."""
        if draft is not None:
            if word_count(translation.text) < word_count(draft.text):
                return False
            translation.stable_text = agreed(draft.committed_text, translation.text)
        # Greater than the drafts', and counted on through further attempts.
        self._growths[owed] = self._growths.get(owed, 0) + 1
        translation.revision += self._growths[owed]
        self._publish_live(
            gateway_pb2.LiveUpdate(session_id=owed.session_id, translation=translation)
        )
        return True

    async def _context(self, owed: Owed) -> FinalContext:
        pair_limit = self._settings.translate_context_pairs
        first_segment_id = owed.segment_id - pair_limit - SPARE_SEGMENTS
        return final_context(
            await self._journal.read_segments(owed.session_id, first_segment_id, owed.segment_id),
            owed.segment_id,
            owed.language,
            pair_limit=pair_limit,
            character_limit=self._settings.translate_context_characters,
        )

    def _hints(self, context: FinalContext, draft: Draft | None) -> Hints:
        """What goes along with a final: a fast model's words must not spoil an accurate one's."""
        if draft is None:
            return Hints(context=context.pairs)
        force = self._settings.force_committed_prefix
        is_forced = force == "always" or (
            force == "same_model" and draft.model == context.recent_model
        )
        return Hints(draft.committed_text if is_forced else "", draft.text, context.pairs)

    async def _give_up_translation(self, owed: Owed, reason: str) -> None:
        await self._journal.write(append_translation_failed, owed, reason)
        self._growths.pop(owed, None)

    async def _compare(self, owed: Owed, span: traces.Span) -> None:
        """Has the second mt translate a final as the first did, for the journal alone."""
        context = await self._context(owed)
        stream = self._models.translate_final(
            context.transcript,
            owed.language,
            Hints(context=context.pairs),
            timeout_s=self._settings.translate_timeout_s,
            alternative=True,
            metadata=span.metadata,
        )
        async with contextlib.aclosing(stream) as translations:
            async for translation in translations:
                if translation.is_final:
                    translation.stable_text = translation.text
                    await self._journal.write(append_alternative, owed, translation)
                    _observe("alternative", translation)

    async def _give_up_alternative(self, owed: Owed, reason: str) -> None:
        await self._journal.write(drop_alternative, owed)
        metrics.ALTERNATIVES_DROPPED.labels(reason).inc()

    async def _score(self, owed: Owed, span: traces.Span) -> None:
        transcript, translation = await asyncio.gather(
            self._transcript(owed), self._translation(owed)
        )
        pair = UnscoredPair(
            transcript, translation, await self._independent(owed, transcript, translation)
        )
        (signals,) = await self._models.score(
            [pair], timeout_s=self._settings.score_timeout_s, metadata=span.metadata
        )
        await self._journal.write(
            append_pair_scored,
            owed,
            gateway_pb2.PairScored(transcript=transcript, translation=translation, signals=signals),
        )

    async def _independent(
        self, owed: Owed, transcript: types_pb2.Transcript, translation: types_pb2.Translation
    ) -> Independent | None:
        """What another model made of the same text, where that is known already.

        The second mt's translation if it is there; nothing waits for it. Else the last draft, if
        it is a whole one of exactly the final's text and was free to begin as it liked. A doubtful
        one is compared with nothing.
        """
        alternative = await self._journal.find_segment_event(
            owed.session_id, owed.segment_id, "alternative_translation", owed.language
        )
        if alternative is not None:
            other = alternative.alternative_translation
            if is_sound(other) and other.model != translation.model:
                return Independent(other.text, other.model)
        draft = self._last_drafts.get(owed.session_id, owed.segment_id, owed.language)
        if (
            draft is not None
            and draft.is_comparable
            and draft.source_text == transcript.stable_text
            and draft.model != translation.model
        ):
            return Independent(draft.text, draft.model)
        return None

    async def _give_up_score(self, owed: Owed, reason: str) -> None:
        """A pair that cannot be scored counts as one without a single signal."""
        transcript, translation = await asyncio.gather(
            self._transcript(owed), self._translation(owed)
        )
        await self._journal.write(
            append_pair_scored,
            owed,
            gateway_pb2.PairScored(transcript=transcript, translation=translation),
        )

    async def _transcript(self, owed: Owed) -> types_pb2.Transcript:
        event = await self._journal.read_segment_event(
            owed.session_id, owed.segment_id, "transcript"
        )
        return event.transcript

    async def _translation(self, owed: Owed) -> types_pb2.Translation:
        event = await self._journal.read_segment_event(
            owed.session_id, owed.segment_id, "translation", owed.language
        )
        return event.translation


def _observe(stage: Stage, translation: types_pb2.Translation) -> None:
    metrics.ENGINE_SECONDS.labels(stage, translation.model).observe(translation.engine_ms / 1000)


@dataclass
class _Failures:
    """What has become of one piece of work so far."""

    paid_before: int
    give_up_at: float  # of time.monotonic()
    attempts: int = 0
    refused_for: str = ""  # a reason: it is to be given up


class _Worker:
    """Does the work of one stage as the journal lists it, oldest first, a few calls at a time."""

    def __init__(
        self,
        stage: Stage,
        journal: Journal,
        concurrency: int,
        pay: Callable[[Owed, traces.Span], Awaitable[None]],
        give_up: Callable[[Owed, str], Awaitable[None]],
        patience_s: float = math.inf,
    ) -> None:
        """
        Args:
            patience_s: work that still fails so long after it was taken in hand is given up.
        """
        self.wake = asyncio.Event()
        self.owed_count = 0  # at most _PAGE
        self._stage: Stage = stage
        self._journal = journal
        self._calls = asyncio.Semaphore(concurrency)
        self._pay = pay
        self._give_up = give_up
        self._patience_s = patience_s
        self._paid_count = 0
        self._in_hand: dict[Owed, asyncio.Task[None]] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                self.wake.clear()
                owed_now = await self._journal.read_owed(self._stage, _PAGE)
                self.owed_count = len(owed_now)
                metrics.OWED.labels(self._stage).set(len(owed_now))
                for owed in owed_now:
                    if owed not in self._in_hand:
                        task = tasks.create_task(self._finish(owed))
                        self._in_hand[owed] = task
                        task.add_done_callback(functools.partial(self._let_go, owed))
                await self.wake.wait()

    def drop(self, session_id: str) -> None:
        """Lets go of a session's work, and cancels the calls of it that are in flight."""
        for owed, task in self._in_hand.items():
            if owed.session_id == session_id:
                task.cancel()

    async def _finish(self, owed: Owed) -> None:
        """Tries until the work is done or given up; it waits without holding a call's place."""
        failures = _Failures(self._paid_count, time.monotonic() + self._patience_s)
        while not await self._attempt(owed, failures):
            failures.attempts += 1
            await asyncio.sleep(_BACKOFF_S[min(failures.attempts, len(_BACKOFF_S)) - 1])

    def _let_go(self, owed: Owed, task: asyncio.Task[None]) -> None:
        """Called when the work is done, or was dropped, maybe before it began."""
        del self._in_hand[owed]
        self.wake.set()

    async def _attempt(self, owed: Owed, failures: _Failures) -> bool:
        """One try; True when nothing more is owed."""
        try:
            if failures.refused_for:
                await self._give_up(owed, failures.refused_for)
                metrics.WORK.labels(self._stage, owed.language, "failed").inc()
                return True
            async with self._calls:
                with traces.segment_span(
                    f"gateway {self._stage}",
                    owed.session_id,
                    owed.segment_id,
                    language=owed.language,
                ) as span:
                    await self._pay(owed, span)
        except NotFound:  # its session is being forgotten, and what was owed is gone
            return True
        except (grpc.aio.AioRpcError, Unavailable) as error:
            is_ours = isinstance(error, Unavailable)
            reason = error.reason if is_ours else reason_of(error)
            if reason == "JOURNAL_FAILED":  # it cannot be written now; the text is not the cause
                return False
            is_poison = (
                failures.attempts + 1 >= _POISON_ATTEMPTS
                and self._paid_count > failures.paid_before
            )
            is_refused = not is_ours and is_permanent(error)
            if is_refused or is_poison or time.monotonic() > failures.give_up_at:
                failures.refused_for = reason
                # What is only compared is missed by nobody.
                say = log.warning if self._stage == "alternative" else log.error
                say(
                    "given_up",
                    stage=self._stage,
                    session_id=owed.session_id,
                    segment_id=owed.segment_id,
                    language=owed.language,
                    reason=failures.refused_for,
                )
            metrics.WORK.labels(self._stage, owed.language, "retried").inc()
            return False
        self._paid_count += 1
        metrics.WORK.labels(self._stage, owed.language, "done").inc()
        return True
