"""A speaker's connection to a session, as both ends know it."""

from __future__ import annotations

import asyncio

from services.errors import GlossaError, Superseded


class Speaker:
    """What a connected speaker is to be told; `wake` is set when there is something."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.superseded = False
        self.failure: GlossaError | None = None  # what ended the session

    def check(self) -> None:
        """Raises Superseded SESSION_TAKEN_OVER, or the error that ended the session."""
        if self.superseded:
            raise Superseded(
                "SESSION_TAKEN_OVER",
                "another stream resumed this session; only the newest one may send",
            )
        if self.failure is not None:
            raise self.failure
