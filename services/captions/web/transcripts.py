"""Which sessions there are, and what was said in one, over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from services.captions.events import matches_language
from services.captions.history import SessionRecord
from services.captions.relay import Relay
from services.captions.web.vtt import webvtt
from services.errors import NotFound
from services.web import json_answer


class TranscriptApi:
    """/sessions and /sessions/{session_id}/captions.vtt."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/sessions", self._sessions),
            web.get("/sessions/{session_id}/captions.vtt", self._vtt),
        ]

    async def _sessions(self, request: web.Request) -> web.Response:
        await self._relay.ready()
        sessions = [_session(record) for record in self._relay.sessions()]
        return json_answer({"sessions": sessions})

    async def _vtt(self, request: web.Request) -> web.Response:
        await self._relay.ready()
        record = self._relay.session(request.match_info["session_id"])
        languages = (record.source_language, *record.target_languages)
        wanted = request.query.get("language", "") or next(iter(record.target_languages), "")
        for language in languages:
            if matches_language(language, (wanted,)):
                text = webvtt(record.finals(language))
                return web.Response(text=text, content_type="text/vtt", charset="utf-8")
        raise NotFound(
            "UNKNOWN_LANGUAGE",
            f"this session has captions in {', '.join(languages)}",
            language=wanted[:40],
        )


def _session(record: SessionRecord) -> dict[str, Any]:
    return {
        "session_id": record.session_id,
        "title": record.title,
        "source_language": record.source_language,
        "target_languages": record.target_languages,
        "is_live": record.is_live,
        "is_held": record.is_held,
        "start_time": record.start_time.isoformat() if record.start_time else None,
    }
