"""Which sessions there are, and what was said in one as a file, over HTTP."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from services.captions.history import SessionRecord
from services.captions.relay import Relay
from services.captions.settings import CaptionsSettings
from services.captions.transcripts.archive import Archive
from services.captions.transcripts.export import FORMATS, Export, ExportRequest, exported
from services.captions.transcripts.memory import remembered
from services.captions.transcripts.turns import Turns
from services.captions.web.access import may_see
from services.captions.web.attachment import disposition
from services.captions.web.transcript_query import export_request
from services.errors import NotFound
from services.web import json_answer

# After a service many people save the same few files at once: each is made once, one after the
# other, as a file costs up to a tenth of a second and displays come first.
_FILES_KEPT = 16
_FILES_WAITING = 1000

_FileKey = tuple[str, int, ExportRequest]


class TranscriptApi:
    """/sessions and /sessions/{session_id}/captions.{vtt,srt,txt,json}."""

    def __init__(self, relay: Relay, settings: CaptionsSettings) -> None:
        self._relay = relay
        self._archive = Archive(settings.operated_gateway)
        self._turns = Turns(1, _FILES_WAITING)
        self._files: OrderedDict[_FileKey, Export] = OrderedDict()
        relay.on_forgotten(self._files.clear)

    def routes(self) -> Sequence[web.RouteDef]:
        file = f"/sessions/{{session_id}}/captions.{{format:{'|'.join(FORMATS)}}}"
        return [web.get("/sessions", self._sessions), web.get(file, self._file)]

    async def _sessions(self, request: web.Request) -> web.Response:
        await self._relay.ready()
        sessions = [
            _session(record)
            for record in self._relay.sessions()
            if may_see(request, record.session_id)
        ]
        return json_answer({"sessions": sessions})

    async def _file(self, request: web.Request) -> web.Response:
        wanted = export_request(request)
        await self._relay.ready()
        export = await self._export(request.match_info["session_id"], wanted)
        response = web.Response(text=export.text, content_type=export.content_type, charset="utf-8")
        response.headers["Content-Disposition"] = disposition(export.file_name)
        response.headers["Cache-Control"] = "no-store"
        return response

    async def _export(self, session_id: str, wanted: ExportRequest) -> Export:
        """From memory where that is enough, else from the gateway's journal."""
        record = self._record(session_id)
        is_whole = record is not None and not record.trimmed_sequence
        if record is None or wanted.with_words or (not is_whole and self._archive.is_there):
            transcript = await self._archive.transcript(session_id)
            return await asyncio.to_thread(exported, transcript, wanted)
        async with self._turns.turn():
            record = self._relay.session(session_id)
            key = (session_id, record.events[-1].sequence, wanted)
            if key not in self._files:
                export = await asyncio.to_thread(exported, remembered(record), wanted)
                self._relay.session(session_id)  # it may have been forgotten meanwhile
                self._files[key] = export
                if len(self._files) > _FILES_KEPT:
                    self._files.popitem(last=False)
            return self._files[key]

    def _record(self, session_id: str) -> SessionRecord | None:
        """What is kept of a session, if it is. Raises NotFound when nobody else can know more."""
        try:
            return self._relay.session(session_id)
        except NotFound:
            if not self._archive.is_there:
                raise
            return None


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
