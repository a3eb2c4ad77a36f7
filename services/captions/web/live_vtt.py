"""A session's captions as WebVTT that grows while people speak."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

import structlog
from aiohttp import web

from services.captions.events import Body, Caption, CaughtUp, Event, SegmentHidden, SessionEnded
from services.captions.relay import Relay
from services.captions.transcripts.cues import cues
from services.captions.transcripts.memory import final_segment
from services.captions.transcripts.vtt import VTT_HEADER, vtt_cue
from services.captions.viewer import Query, Viewer
from services.captions.web.access import while_allowed
from services.captions.web.transcript_query import language_wanted, offset_wanted_ms
from services.errors import GlossaError

log = structlog.get_logger()

# A comment, which players pass over: proxies end what is silent for a minute, and who has left is
# only noticed when something is written.
_STILL_HERE = b"\nNOTE\n"
_STILL_HERE_S = 15.0
_BUFFER_BYTES = 16 * 1024
_HEADERS = {
    "Content-Type": "text/vtt; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would gather cues before it passes them on
}


class LiveVttApi:
    """/sessions/{session_id}/live.vtt: the cues so far, then each as its final comes."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/sessions/{session_id}/live.vtt", self._stream, allow_head=False)]

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        offset_ms = offset_wanted_ms(request)
        await self._relay.ready()
        record = self._relay.session(request.match_info["session_id"])
        language = language_wanted(request, record)
        query = Query(record.session_id, (language,), finals_only=True)
        response = web.StreamResponse(headers=_HEADERS)
        try:
            async with while_allowed(request), self._relay.watching(query, "vtt") as viewer:
                await response.prepare(request)
                if request.transport is not None:
                    request.transport.set_write_buffer_limits(high=_BUFFER_BYTES)
                await self._send(viewer, response, _Cues(language, offset_ms))
        except GlossaError as error:
            if not response.prepared:
                raise
            log.info("live_vtt_ended", reason=error.reason)
            if request.transport is not None:
                request.transport.abort()  # so that a player sees that this was not the end
        return response

    async def _send(self, viewer: Viewer, response: web.StreamResponse, cues: _Cues) -> None:
        """Sends until the session is over or the player has left.

        Raises:
            GlossaError: why the viewer was cut.
        """
        async with asyncio.TaskGroup() as tasks:
            sender = tasks.create_task(self._send_cues(viewer, response, cues))
            keeper = tasks.create_task(_say_still_here(response))
            await asyncio.wait({sender, keeper}, return_when=asyncio.FIRST_COMPLETED)
            sender.cancel()
            keeper.cancel()
        if not sender.cancelled() and (error := sender.result()) is not None:
            raise error

    async def _send_cues(
        self, viewer: Viewer, response: web.StreamResponse, cues: _Cues
    ) -> GlossaError | None:
        """Returns why this side had to end it; None when all was sent, or the player left."""

        async def write(event: Event) -> None:
            if text := cues.take(event.body):
                await response.write(text.encode())
            if cues.is_over:
                await response.write_eof()
                raise _SessionOverError

        try:
            await response.write(VTT_HEADER.encode())
            await viewer.deliver(write)
        except _SessionOverError:
            pass
        except GlossaError as error:
            return error
        except ConnectionError:
            log.debug("live_vtt_left")
        return None


class _SessionOverError(Exception):
    """Everything has been sent."""


class _Cues:
    """Turns finals into cues, each segment once: what was sent cannot be taken back."""

    def __init__(self, language: str, offset_ms: int) -> None:
        self._language = language
        self._offset_ms = offset_ms
        self._known: dict[int, Caption] | None = {}  # until all that is known has come
        self._sent: set[int] = set()
        self._number = 0
        self._free_from_ms = 0
        self._has_ended = False

    @property
    def is_over(self) -> bool:
        """Whether the session has ended and everything known of it has been sent."""
        return self._has_ended and self._known is None

    def take(self, body: Body) -> str:
        """The cues that an event adds; empty: none."""
        finals = _finals(body, self._language)
        if isinstance(body, SessionEnded):
            self._has_ended = True
        if self._known is None:
            return self._text(finals)
        for caption in finals:
            known = self._known.get(caption.segment_id)
            if known is None or caption.revision >= known.revision:
                self._known[caption.segment_id] = caption
        if isinstance(body, SegmentHidden) and body.is_hidden:
            self._known.pop(body.segment_id, None)
        if not isinstance(body, CaughtUp):
            return ""
        so_far, self._known = self._known, None
        return self._text(so_far.values())

    def _text(self, captions: Iterable[Caption]) -> str:
        new = [each for each in captions if each.segment_id not in self._sent]
        self._sent.update(each.segment_id for each in new)
        new.sort(key=lambda each: (each.start_offset_ms, each.segment_id))
        made = cues(map(final_segment, new), (self._language,), self._offset_ms, self._free_from_ms)
        blocks = []
        for cue in made:
            self._number += 1
            self._free_from_ms = cue.end_ms
            blocks.append("\n" + vtt_cue(cue, self._number))
        return "".join(blocks)


def _finals(body: Body, language: str) -> list[Caption]:
    captions: Iterable[Caption] = ()
    if isinstance(body, Caption):
        captions = (body,)
    elif isinstance(body, SegmentHidden):
        captions = body.captions
    return [each for each in captions if each.is_final and each.language == language]


async def _say_still_here(response: web.StreamResponse) -> None:
    """Ends when the player has left."""
    with contextlib.suppress(ConnectionError):
        while True:
            await asyncio.sleep(_STILL_HERE_S)
            await response.write(_STILL_HERE)
