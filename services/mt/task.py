"""One text on its way through a tier, and the newest state of its translation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from services.mt import runaway
from services.mt.engine import Job
from services.mt.glossary import Glossary


class Progress:
    """The newest text of one request, from an engine's thread to the event loop.

    One slot: a text that nobody has taken yet is replaced by the next. It is filled and emptied in
    the event loop alone, so that no text is lost between the two.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._newest: str | None = None
        self._is_closed = False

    def tell(self, text: str) -> None:
        """Takes the whole text so far; from any thread."""
        self._loop.call_soon_threadsafe(self._take, text)

    def close(self) -> None:
        """Ends `texts`; in the event loop. What nobody has taken by then is not wanted any more."""
        self._is_closed = True
        self._arrived.set()

    def _take(self, text: str) -> None:
        self._newest = text
        self._arrived.set()

    async def texts(self) -> AsyncIterator[str]:
        """The newest text whenever there is a newer one, until closed."""
        while True:
            await self._arrived.wait()
            if self._is_closed:
                return
            self._arrived.clear()
            text, self._newest = self._newest, None
            if text is not None:
                yield text


class TextTask:
    """An engine.Task.

    Args:
        glossary: of its pair, the request's own terms first.
        deadline: time.monotonic() at which nobody wants it any more.
        prefix: what stands before its text on the way out: the parts translated already.
    """

    def __init__(
        self,
        job: Job,
        glossary: Glossary,
        deadline: float | None,
        progress: Progress | None = None,
        prefix: str = "",
    ) -> None:
        self.glossary = glossary
        self.first_token_at: float | None = None  # time.monotonic()
        self.ran_away = False
        self._job = job
        self._deadline = deadline
        self._progress = progress
        self._prefix = prefix
        self._is_cancelled = False
        # Made when the engine first tells something: most engines never do.
        self._watch: runaway.Watch | None = None

    @property
    def job(self) -> Job:
        return self._job

    @property
    def is_wanted(self) -> bool:
        return not (
            self._is_cancelled
            or self.ran_away
            or (self._deadline is not None and time.monotonic() >= self._deadline)
        )

    def cancel(self) -> None:
        """Stops the engine at its next token."""
        self._is_cancelled = True

    def tell(self, text: str, token_count: int) -> None:
        if self.first_token_at is None and token_count:
            self.first_token_at = time.monotonic()
        if self._watch is None:
            self._watch = runaway.Watch(self._job.text, self._job.pair)
        if self._watch.is_running_away(text):
            self.ran_away = True
        elif self._progress is not None:
            self._progress.tell(self._prefix + text)
