"""What is wanted of a session, from a URL."""

from __future__ import annotations

from typing import cast

from aiohttp import web

from services.captions.history import SessionRecord
from services.captions.transcripts.export import ExportRequest, Format, offset_ms_of
from services.captions.transcripts.transcript import language_of
from services.errors import InvalidInput

_SWITCHES = {"": False, "0": False, "false": False, "1": True, "true": True}


def export_request(request: web.Request) -> ExportRequest:
    """?language=, ?second=, ?words= and ?offset=, all of them optional.

    Raises:
        InvalidInput: INVALID_REQUEST.
    """
    query = request.query
    with_words = _SWITCHES.get(query.get("words", ""))
    if with_words is None:
        raise InvalidInput("INVALID_REQUEST", "words is 1 or 0")
    return ExportRequest(
        format=cast(Format, request.match_info["format"]),
        language=query.get("language", ""),
        second=query.get("second", ""),
        with_words=with_words,
        offset_ms=offset_wanted_ms(request),
    )


def offset_wanted_ms(request: web.Request) -> int:
    """?offset=; 0 without. Raises InvalidInput: INVALID_REQUEST."""
    return offset_ms_of(request.query.get("offset", "") or "0")


def language_wanted(request: web.Request, record: SessionRecord) -> str:
    """?language= of a session; its first translation without. Raises NotFound: UNKNOWN_LANGUAGE."""
    first = next(iter(record.target_languages), record.source_language)
    languages = (record.source_language, *record.target_languages)
    return language_of(languages, request.query.get("language", "") or first)
