"""What a browser asks to see, from its URL."""

from __future__ import annotations

from aiohttp import web

from services.captions.viewer import Query
from services.errors import InvalidInput


def live_query(request: web.Request) -> Query:
    """?session=, ?language=a,b, ?after= and ?finals_only=, all of them optional.

    An EventSource that comes back says in Last-Event-ID what it has; its URL is the old one.

    Raises:
        InvalidInput: INVALID_REQUEST.
    """
    after = request.headers.get("Last-Event-ID", "") or request.query.get("after", "") or "0"
    if not after.isascii() or not after.isdigit() or len(after) > 18:
        raise InvalidInput("INVALID_REQUEST", "after must be a sequence: a whole number from 0")
    languages = (
        part.strip() for value in request.query.getall("language", []) for part in value.split(",")
    )
    return Query(
        session_id=request.query.get("session", ""),
        languages=tuple(each for each in languages if each),
        after_sequence=int(after),
        finals_only=request.query.get("finals_only", "") in ("1", "true"),
    )
