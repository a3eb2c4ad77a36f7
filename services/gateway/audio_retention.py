"""Deletes the audio of sessions that ended long ago; their texts stay."""

from __future__ import annotations

import asyncio
import time

import structlog

from services.gateway.audio_store import AudioStore
from services.gateway.journal import Journal

log = structlog.get_logger()

_DAY_S = 86_400.0
_LONGEST_PAUSE_S = 3600.0
_SHORTEST_PAUSE_S = 1.0


class AudioRetention:
    """Looks every now and then for audio that is too old, until cancelled."""

    def __init__(self, journal: Journal, audio_store: AudioStore, retention_days: float) -> None:
        self._journal = journal
        self._audio_store = audio_store
        self._retention_s = retention_days * _DAY_S

    async def run(self) -> None:
        """Returns at once when audio is kept for ever."""
        if not self._retention_s:
            return
        pause_s = min(max(self._retention_s / 100, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
        while True:
            await self._delete_old()
            await asyncio.sleep(pause_s)

    async def _delete_old(self) -> None:
        ended_before_ms = round((time.time() - self._retention_s) * 1000)
        for session_id in await self._journal.read_ended_sessions(ended_before_ms):
            try:
                size_bytes = await asyncio.to_thread(self._audio_store.delete, session_id)
            except OSError as error:
                log.error("audio_not_deleted", session_id=session_id, error=str(error))
                continue
            if size_bytes:
                log.info("audio_expired", session_id=session_id, size_bytes=size_bytes)
