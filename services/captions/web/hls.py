"""A session's captions as an HLS playlist of WebVTT pieces (RFC 8216, 3.5), beside a video.

A player reads the list again and again and fetches what is new: nothing is held open for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from services.captions.history import SessionRecord
from services.captions.relay import Relay
from services.captions.transcripts.cues import cues
from services.captions.transcripts.memory import final_segment
from services.captions.transcripts.vtt import webvtt
from services.captions.web.transcript_query import language_wanted, offset_wanted_ms
from services.errors import NotFound

_PIECE_MS = 6000  # what Apple's HLS Authoring Specification asks of all pieces
# Cues that come too fast push those after them: pieces agree when each looks so far back.
_LOOKED_BACK_MS = 60_000
# The clock of captions and that of the video both begin at zero; ?offset= moves the captions.
_HEADER = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n"


class HlsApi:
    """/sessions/{session_id}/live.m3u8, and the pieces that it names."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/sessions/{session_id}/live.m3u8", self._playlist),
            web.get("/sessions/{session_id}/live/{piece:[0-9]{1,5}}.vtt", self._piece),
        ]

    async def _playlist(self, request: web.Request) -> web.Response:
        await self._relay.ready()
        record = self._relay.session(request.match_info["session_id"])
        query = f"?{request.query_string}" if request.query_string else ""
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:3",
            f"#EXT-X-TARGETDURATION:{_PIECE_MS // 1000}",
            "#EXT-X-PLAYLIST-TYPE:EVENT",
            "#EXT-X-MEDIA-SEQUENCE:0",
        ]
        for piece in range(_piece_count(record, request)):
            lines += [f"#EXTINF:{_PIECE_MS / 1000:.3f},", f"live/{piece}.vtt{query}"]
        if not record.is_live:
            lines.append("#EXT-X-ENDLIST")
        return _answer("\n".join(lines) + "\n", "application/vnd.apple.mpegurl")

    async def _piece(self, request: web.Request) -> web.Response:
        await self._relay.ready()
        record = self._relay.session(request.match_info["session_id"])
        piece = int(request.match_info["piece"])
        if piece >= _piece_count(record, request):
            raise NotFound("UNKNOWN_PIECE", "there is no such piece yet; read live.m3u8 again")
        language, offset_ms = language_wanted(request, record), offset_wanted_ms(request)
        start_ms, end_ms = piece * _PIECE_MS, (piece + 1) * _PIECE_MS
        segments = [
            final_segment(final).moved(offset_ms)
            for final in record.finals(language)
            if start_ms - _LOOKED_BACK_MS < final.start_offset_ms + offset_ms < end_ms
        ]
        shown = [
            cue
            for cue in cues(segments, (language,))
            if cue.start_ms < end_ms and cue.end_ms > start_ms
        ]
        # FFmpeg puts pieces together before it reads them: an empty line sets the next one off.
        return _answer(webvtt(shown, header=_HEADER) + "\n", "text/vtt")


def _piece_count(record: SessionRecord, request: web.Request) -> int:
    """Pieces to which nothing will be added; all when it is over.

    Nothing comes before the newest final but what is still awaited: the translation of a long
    sentence may be overtaken by that of the next one.
    """
    offset_ms, language = offset_wanted_ms(request), language_wanted(request, record)
    finals = record.finals(language)
    if not finals:
        return 0
    if record.is_live:
        open_ends = (finals[-1], *record.awaited(language))
        next_ms = min(each.start_offset_ms for each in open_ends)
        return max(0, (next_ms + offset_ms) // _PIECE_MS)
    return max(1, -(-(finals[-1].end_offset_ms + offset_ms) // _PIECE_MS))


def _answer(text: str, content_type: str) -> web.Response:
    response = web.Response(text=text, content_type=content_type, charset="utf-8")
    response.headers["Cache-Control"] = "no-store"
    return response
