"""Draft translations of partial transcripts: live only, newest first, first to go under load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.gateway import metrics
from services.gateway.models import Models


class Drafts:
    """Drafts for one session: at most one call in flight a language, of the newest partial."""

    def __init__(
        self,
        session_id: str,
        target_languages: list[str],
        models: Models,
        publish_live: Callable[[gateway_pb2.LiveUpdate], None],
        *,
        timeout_s: float,
    ) -> None:
        self._session_id = session_id
        self._models = models
        self._publish_live = publish_live
        self._timeout_s = timeout_s
        self._slots = {language: _Slot() for language in target_languages}

    def offer(self, transcript: types_pb2.Transcript) -> None:
        """Takes a partial; an older one that is still waiting is skipped."""
        for slot in self._slots.values():
            if slot.waiting is not None:
                metrics.DRAFTS.labels("skipped").inc()
            slot.waiting = transcript
            slot.wake.set()

    def cancel(self, segment_id: int) -> None:
        """Drops what waits or is in flight for a segment whose final is here, or never will be."""
        for slot in self._slots.values():
            if slot.waiting is not None and slot.waiting.segment_id <= segment_id:
                slot.waiting = None
            if slot.call is not None and slot.segment_id <= segment_id:
                slot.call.cancel()
                metrics.DRAFTS.labels("cancelled").inc()

    async def run(self) -> None:
        """Translates until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for language, slot in self._slots.items():
                tasks.create_task(self._run_language(language, slot))

    async def _run_language(self, language: str, slot: _Slot) -> None:
        while True:
            await slot.wake.wait()
            slot.wake.clear()
            transcript, slot.waiting = slot.waiting, None
            if transcript is None:
                continue
            slot.segment_id = transcript.segment_id
            slot.call = asyncio.create_task(self._translate(transcript, language))
            try:
                await asyncio.wait({slot.call})
                if not slot.call.cancelled():
                    slot.call.result()
            finally:
                slot.call.cancel()
                slot.call = None

    async def _translate(self, transcript: types_pb2.Transcript, language: str) -> None:
        text = f"{transcript.stable_text} {transcript.unstable_text}".strip()
        if not text:
            return
        try:
            translation = await self._models.translate(
                transcript, text, language, draft=True, timeout_s=self._timeout_s
            )
        except grpc.aio.AioRpcError as error:
            metrics.DRAFTS.labels(error.code().name.lower()).inc()
            return
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
