"""What happens to a final: its translations, then their scores.

The work is what the journal says is owed, so a restart goes on where it stopped. A model that is
away is waited for; a text that a model refuses is journalled as refused. Quality never delays a
caption: scoring has its own loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
import structlog

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.errors import Unavailable, reason_of
from services.gateway import metrics
from services.gateway.journal import Journal
from services.gateway.models import Models, is_permanent
from services.gateway.settings import GatewaySettings
from services.gateway.transaction import Owed

log = structlog.get_logger()

_BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # then the last one again and again
# A text that fails this often while others get through is the cause itself (it crashes or hangs the
# engine), and is given up.
_POISON_ATTEMPTS = 5
_OWED_PAGE = 64


class Pipeline:
    """Translates and scores finals until cancelled."""

    def __init__(self, journal: Journal, models: Models, settings: GatewaySettings) -> None:
        self._journal = journal
        self._models = models
        self._settings = settings
        self._translate_wake = asyncio.Event()
        self._score_wake = asyncio.Event()
        self._owed_count = 0
        self._translated_count = 0

    def committed(self, events: Sequence[gateway_pb2.JournalEvent]) -> None:
        """Wakes the loops for new work."""
        kinds = {event.WhichOneof("event") for event in events}
        if "transcript" in kinds:
            self._translate_wake.set()
        if "translation" in kinds:
            self._score_wake.set()

    def is_behind(self) -> bool:
        """Whether so many finals wait that drafts must stand back."""
        return self._owed_count > self._settings.draft_backlog_limit

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._translate_owed())
            tasks.create_task(self._score_owed())

    # Translations

    async def _translate_owed(self) -> None:
        in_flight: set[Owed] = set()

        async def translate(owed: Owed) -> None:
            try:
                await self._translate(owed)
            finally:
                in_flight.discard(owed)
                self._translate_wake.set()

        async with asyncio.TaskGroup() as tasks:
            while True:
                self._translate_wake.clear()
                owed_now = await self._journal.read_owed("translate", _OWED_PAGE)
                self._owed_count = len(owed_now)
                metrics.OWED.labels("translate").set(len(owed_now))
                for owed in owed_now:
                    if len(in_flight) >= self._settings.translate_concurrency:
                        break
                    if owed not in in_flight:
                        in_flight.add(owed)
                        tasks.create_task(translate(owed))
                await self._translate_wake.wait()

    async def _translate(self, owed: Owed) -> None:
        """Brings one translation into the journal, or the reason why there is none."""
        event = await self._journal.read_segment_event(
            owed.session_id, owed.segment_id, "transcript"
        )
        attempts, translated_before = 0, self._translated_count
        while True:
            try:
                translation = await self._models.translate(
                    event.transcript,
                    event.transcript.stable_text,
                    owed.language,
                    draft=False,
                    timeout_s=self._settings.translate_timeout_s,
                )
                await self._journal.append_translation(owed, translation)
            except grpc.aio.AioRpcError as error:
                attempts += 1
                others_got_through = self._translated_count > translated_before
                if is_permanent(error) or (attempts >= _POISON_ATTEMPTS and others_got_through):
                    await self._give_up(owed, reason_of(error))
                    return
                metrics.TRANSLATIONS.labels(owed.language, "retried").inc()
                await asyncio.sleep(_BACKOFF_S[min(attempts, len(_BACKOFF_S)) - 1])
            except Unavailable:  # the journal cannot be written now
                await asyncio.sleep(_BACKOFF_S[-1])
            else:
                self._translated_count += 1
                metrics.TRANSLATIONS.labels(owed.language, "translated").inc()
                return

    async def _give_up(self, owed: Owed, reason: str) -> None:
        log.error(
            "untranslatable",
            session_id=owed.session_id,
            segment_id=owed.segment_id,
            language=owed.language,
            reason=reason,
        )
        metrics.TRANSLATIONS.labels(owed.language, "failed").inc()
        await self._journal.append_translation_failed(owed, reason)

    # Scores

    async def _score_owed(self) -> None:
        attempts = 0
        while True:
            self._score_wake.clear()
            owed_now = await self._journal.read_owed("score", self._settings.score_batch_size)
            metrics.OWED.labels("score").set(len(owed_now))
            if not owed_now:
                await self._score_wake.wait()
                continue
            pairs = [await self._read_pair(owed) for owed in owed_now]
            try:
                await self._score(owed_now, pairs)
            except grpc.aio.AioRpcError as error:
                metrics.SCORES.labels(reason_of(error).lower()).inc()
                attempts += 1
                await asyncio.sleep(_BACKOFF_S[min(attempts, len(_BACKOFF_S)) - 1])
            except Unavailable:
                await asyncio.sleep(_BACKOFF_S[-1])
            else:
                attempts = 0

    async def _score(self, owed_now: Sequence[Owed], pairs: Sequence[_Pair]) -> None:
        """Journals the scores of a batch; of a refused batch, those of each pair by itself."""
        try:
            signals = await self._models.score(pairs, timeout_s=self._settings.score_timeout_s)
        except grpc.aio.AioRpcError as error:
            if not is_permanent(error):
                raise
            if len(pairs) > 1:
                for owed, pair in zip(owed_now, pairs, strict=True):
                    await self._score([owed], [pair])
                return
            # Not scorable: it counts as a pair without a single signal.
            log.error("unscorable", session_id=owed_now[0].session_id, reason=reason_of(error))
            signals = [[]]
        for owed, (transcript, translation), pair_signals in zip(
            owed_now, pairs, signals, strict=True
        ):
            await self._journal.append_pair_scored(
                owed,
                gateway_pb2.PairScored(
                    transcript=transcript, translation=translation, signals=pair_signals
                ),
            )
            metrics.SCORES.labels("scored").inc()

    async def _read_pair(self, owed: Owed) -> _Pair:
        transcript, translation = await asyncio.gather(
            self._journal.read_segment_event(owed.session_id, owed.segment_id, "transcript"),
            self._journal.read_segment_event(
                owed.session_id, owed.segment_id, "translation", owed.language
            ),
        )
        return transcript.transcript, translation.translation


_Pair = tuple[types_pb2.Transcript, types_pb2.Translation]
