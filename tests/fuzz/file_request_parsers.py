"""What captions make of a request for a session's files, as functions of a path and query."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from services.captions.events import Caption, Event, SessionEnded, SessionStarted
from services.captions.history import History, SessionRecord
from services.captions.web.hls import HlsApi
from services.captions.web.transcript_query import export_request
from services.errors import NotFound
from tests.fuzz.parser import Parser, of_text

_SESSION = "sunday"


class _OneSession:
    """What is kept of one session that is over; a relay to those that ask for no more."""

    def __init__(self) -> None:
        history = History(1, 100)
        time = datetime(2026, 11, 22, 10, tzinfo=UTC)
        for sequence, body in enumerate(
            (
                SessionStarted("Sunday", "en", ("es",)),
                _caption("en", "Amen."),
                _caption("es", "Amén."),
                SessionEnded(1),
            ),
            start=1,
        ):
            history.add(Event(sequence, _SESSION, time, body))
        (self._record,) = history.sessions()

    async def ready(self) -> None:
        pass

    def session(self, session_id: str) -> SessionRecord:
        if session_id != _SESSION:
            raise NotFound("UNKNOWN_SESSION", "there is no such session")
        return self._record


def _caption(language: str, text: str) -> Caption:
    return Caption(
        segment_id=1,
        language=language,
        revision=1,
        is_final=True,
        stable_text=text,
        unstable_text="",
        is_source=language == "en",
        start_offset_ms=1000,
        end_offset_ms=9000,
        endpoint_offset_ms=9500,
        is_corrected=False,
        engine_ms=1.0,
        model="m",
    )


async def _file(request: web.Request) -> web.Response:
    export_request(request)
    return web.Response()


_APP = web.Application()
_APP.add_routes(HlsApi(_OneSession()).routes())  # type: ignore[arg-type]
_APP.add_routes([web.get("/sessions/{session_id}/captions.{format:vtt|srt|txt|json}", _file)])


def _request(text: str) -> None:
    # What aiohttp's own parser lets through in a request line.
    kept = "".join(sign for sign in text if sign.isprintable() and sign not in " #")
    asyncio.run(_answered(f"/sessions/{kept}"))


async def _answered(path: str) -> None:
    found = await _APP.router.resolve(make_mocked_request("GET", path))
    if found.http_exception is None:
        answer = await found.handler(make_mocked_request("GET", path, match_info=dict(found)))
        assert answer.status == 200


FILE_REQUEST_PARSERS = (
    Parser(
        "request for a file",
        of_text(_request),
        seeds=(
            b"sunday/captions.vtt?language=es&second=en&words=1&offset=-1:02.5",
            b"sunday/captions.json?words=true",
        ),
    ),
    Parser(
        "request of a player",
        of_text(_request),
        seeds=(b"sunday/live.m3u8?language=es&offset=3", b"sunday/live/1.vtt?language=en"),
    ),
)
