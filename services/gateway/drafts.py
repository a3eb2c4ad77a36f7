"""Draft translations of partial transcripts: live only, newest first, first to go under load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.gateway import metrics
from services.gateway.last_drafts import Draft, LastDrafts
from services.gateway.models import Hints, Models


class Drafts:
    """Drafts for one session: at most one call in flight a language, of the newest partial.

    At most `call_limit` calls are in flight together, however many languages there are: they take
    turns in the order in which they asked.
    """

    def __init__(
        self,
        session_id: str,
        target_languages: list[str],
        models: Models,
        last_drafts: LastDrafts,
        publish_live: Callable[[gateway_pb2.LiveUpdate], None],
        *,
        call_limit: int,
        timeout_s: float,
    ) -> None:
        self._session_id = session_id
        self._models = models
        self._last_drafts = last_drafts
        self._publish_live = publish_live
        self._timeout_s = timeout_s
        self._slots = {language: _Slot() for language in target_languages}
        self._turns = asyncio.Semaphore(call_limit)  # first come, first served

    def offer(self, transcript: types_pb2.Transcript) -> None:
        """Takes a partial; an older one that is still waiting is skipped.

        A call in flight for a text that the partial does not go on from is given up. The call after
        it is not: drafts that are slower than speech would never be shown.
        """
        text = _text_of(transcript)
        for slot in self._slots.values():
            if slot.waiting is not None:
                metrics.DRAFTS.labels("skipped").inc()
            slot.waiting = transcript
            slot.wake.set()
            goes_on = transcript.segment_id == slot.segment_id and text.startswith(slot.text)
            if slot.call is not None and not goes_on and not slot.follows_given_up:
                slot.give_up()
                slot.follows_given_up = True

    def cancel(self, segment_id: int) -> None:
        """Drops what waits or is in flight for a segment whose final is here, or never will be."""
        for slot in self._slots.values():
            if slot.waiting is not None and slot.waiting.segment_id <= segment_id:
                slot.waiting = None
            if slot.call is not None and slot.segment_id <= segment_id:
                slot.give_up()

    async def run(self) -> None:
        """Translates until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for language, slot in self._slots.items():
                tasks.create_task(self._run_language(language, slot))

    async def _run_language(self, language: str, slot: _Slot) -> None:
        while True:
            await slot.wake.wait()
            async with self._turns:
                slot.wake.clear()
                transcript, slot.waiting = slot.waiting, None
                if transcript is None:
                    continue
                slot.segment_id, slot.text = transcript.segment_id, _text_of(transcript)
                slot.call = asyncio.create_task(self._translate(transcript, language))
                try:
                    await asyncio.wait({slot.call})
                    if not slot.call.cancelled():
                        slot.call.result()
                        slot.follows_given_up = False
                finally:
                    slot.call.cancel()
                    slot.call = None

    async def _translate(self, transcript: types_pb2.Transcript, language: str) -> None:
        text = _text_of(transcript)
        if not text:
            return
        last = self._last_drafts.get(self._session_id, transcript.segment_id, language)
        try:
            answer = await self._models.translate_draft(
                transcript,
                text,
                language,
                Hints(last.committed_text, last.text) if last else Hints(),
                timeout_s=self._timeout_s,
            )
        except grpc.aio.AioRpcError as error:
            metrics.DRAFTS.labels(error.code().name.lower()).inc()
            return
        translation = answer.translation
        if not translation.text:  # nothing of it is settled yet: what is shown stays
            metrics.DRAFTS.labels("empty").inc()
            return
        draft = Draft(
            translation.text,
            translation.model,
            source_text=text,
            is_comparable=answer.is_comparable,
        )
        if last is not None:
            draft = last.followed_by(draft)
        self._last_drafts.put(self._session_id, transcript.segment_id, language, draft)
        translation.stable_text = draft.stable_text
        metrics.DRAFTS.labels("shown").inc()
        self._publish_live(
            gateway_pb2.LiveUpdate(session_id=self._session_id, translation=translation)
        )


class _Slot:
    """The newest partial that waits for a language, and the call in flight."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.waiting: types_pb2.Transcript | None = None
        self.call: asyncio.Task[None] | None = None
        self.segment_id = 0
        self.text = ""
        self.follows_given_up = False

    def give_up(self) -> None:
        """Cancels the call in flight, and mt's work on it with it."""
        if self.call is not None and not self.call.cancelling():
            self.call.cancel()
            metrics.DRAFTS.labels("cancelled").inc()


def _text_of(transcript: types_pb2.Transcript) -> str:
    return f"{transcript.stable_text} {transcript.unstable_text}".strip()
