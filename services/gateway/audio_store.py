"""Session audio on disk, kept only with the session's consent: raw PCM, addressed by sample."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from services.audio import BYTES_PER_SAMPLE
from services.errors import InvalidInput

_READ_SAMPLES = 16_000


class AudioStore:
    """One file a session. Writing the same samples again changes nothing; gaps read as zeros."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, int] = {}

    def _path(self, session_id: str) -> Path:
        return self._folder / f"{session_id}.s16le"

    async def write(self, session_id: str, first_sample: int, data: bytes) -> None:
        """Writes samples at their place."""
        if session_id not in self._files:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._files[session_id] = os.open(
                self._path(session_id), os.O_WRONLY | os.O_CREAT, 0o640
            )
        await asyncio.to_thread(
            os.pwrite, self._files[session_id], data, first_sample * BYTES_PER_SAMPLE
        )

    def close(self, session_id: str) -> None:
        """Closes a session's file after its last write."""
        descriptor = self._files.pop(session_id, None)
        if descriptor is not None:
            os.close(descriptor)

    def close_all(self) -> None:
        for session_id in list(self._files):
            self.close(session_id)

    def has(self, session_id: str) -> bool:
        """Whether there is audio of a session."""
        return self._path(session_id).exists()

    def size_bytes(self, session_id: str) -> int:
        """Size of a session's audio on the disk; 0 when there is none."""
        try:
            return self._path(session_id).stat().st_size
        except FileNotFoundError:
            return 0

    def delete(self, session_id: str) -> int:
        """Deletes a session's audio and returns its size."""
        self.close(session_id)
        size_bytes = self.size_bytes(session_id)
        self._path(session_id).unlink(missing_ok=True)
        return size_bytes

    async def read(
        self, session_id: str, first_sample: int, end_sample: int
    ) -> AsyncIterator[tuple[int, bytes]]:
        """(first_sample, data) pieces of [first_sample, end_sample); end 0 means all there is.

        There must be audio of the session.

        Raises:
            InvalidInput: INVALID_RANGE.
        """
        if first_sample < 0 or (end_sample and end_sample <= first_sample):
            raise InvalidInput(
                "INVALID_RANGE",
                f"[{first_sample}, {end_sample}) is not a range of samples",
            )
        with self._path(session_id).open("rb") as file:
            file.seek(first_sample * BYTES_PER_SAMPLE)
            while not end_sample or first_sample < end_sample:
                wanted = min(
                    _READ_SAMPLES, (end_sample or first_sample + _READ_SAMPLES) - first_sample
                )
                data = await asyncio.to_thread(file.read, wanted * BYTES_PER_SAMPLE)
                data = data[: len(data) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE]
                if not data:
                    return
                yield first_sample, data
                first_sample += len(data) // BYTES_PER_SAMPLE
