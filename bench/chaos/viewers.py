"""Two displays that come back by themselves, over gRPC and over a WebSocket, and what they saw."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from cli.client import CaptionSubscriber

_RETRY_S = 0.2
_CONNECT_TIMEOUT_S = 5.0
_SILENCE_PING_S = 3.0
_CAPTION_TIMEOUT_S = 60.0
_POLL_S = 0.02

Final = tuple[int, str]  # segment, language


@dataclass
class Sight:
    """What a viewer was shown of one session."""

    sequences: Counter[int] = field(default_factory=Counter)  # of finals
    shown_at_s: dict[Final, float] = field(default_factory=dict)  # of time.monotonic(), the first
    end_offsets_ms: dict[Final, int] = field(default_factory=dict)

    def take(self, sequence: int, final: Final, end_offset_ms: int) -> None:
        self.sequences[sequence] += 1
        self.shown_at_s.setdefault(final, time.monotonic())
        self.end_offsets_ms[final] = end_offset_ms

    def finals(self) -> set[Final]:
        return set(self.shown_at_s)


class Viewers:
    """Both displays; `sights` has what each saw by session."""

    def __init__(self, captions_address: str, page_url: str) -> None:
        self._address = captions_address
        self._page_url = page_url
        self.sights: dict[str, dict[str, Sight]] = {
            "gRPC": defaultdict(Sight),
            "WebSocket": defaultdict(Sight),
        }
        # language -> when the gRPC display got its newest caption, partials included
        self.newest_at_s: dict[str, float] = {}
        self.ready = asyncio.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        tasks = [
            asyncio.create_task(self._watch_grpc()),
            asyncio.create_task(self._watch_web_socket()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    async def caption(self, languages: Sequence[str], *, after_s: float) -> float:
        """Waits for a caption in one of the languages, later than `after_s`; returns when it came.

        Raises:
            TimeoutError: none came in a minute.
        """
        async with asyncio.timeout(_CAPTION_TIMEOUT_S):
            while True:
                newest_s = max(self.newest_at_s.get(language, 0.0) for language in languages)
                if newest_s > after_s:
                    return newest_s
                await asyncio.sleep(_POLL_S)

    async def _watch_grpc(self) -> None:
        sights = self.sights["gRPC"]
        async for event in CaptionSubscriber(self._address).events():
            kind = event.WhichOneof("event")
            if kind == "caught_up":
                self.ready.set()
            elif kind == "caption":
                caption = event.caption
                self.newest_at_s[caption.language] = time.monotonic()
                if caption.is_final:
                    sights[event.session_id].take(
                        event.sequence,
                        (caption.segment_id, caption.language),
                        caption.end_offset_ms,
                    )

    async def _watch_web_socket(self) -> None:
        import aiohttp

        sights = self.sights["WebSocket"]
        after = 0
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            while True:
                url = f"{self._page_url}ws?{urlencode({'after': after})}"
                try:
                    async with http.ws_connect(url, heartbeat=_SILENCE_PING_S) as socket:
                        async for message in socket:
                            if message.type is not aiohttp.WSMsgType.TEXT:
                                break
                            event = json.loads(message.data)
                            after = max(after, int(event.get("sequence", 0)))
                            caption = event.get("caption")
                            if caption and caption["is_final"]:
                                sights[event["session_id"]].take(
                                    int(event["sequence"]),
                                    (caption["segment_id"], caption["language"]),
                                    caption["end_offset_ms"],
                                )
                except (aiohttp.ClientError, TimeoutError, OSError):
                    pass  # it comes back below, and goes on after what it has
                await asyncio.sleep(_RETRY_S)
