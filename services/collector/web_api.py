"""The review's operations as JSON: the fields of collector.proto by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from services.collector.pair import Decision, ScoredPair
from services.collector.review import ReviewItem, Reviews
from services.collector.review_queue import Progress
from services.errors import InvalidInput
from services.web import json_answer, json_object, text_field


class ReviewApi:
    """/api/review/: what changes something is a POST of JSON, what is only read a GET."""

    def __init__(self, reviews: Reviews) -> None:
        self._reviews = reviews

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/api/review/lease", self._lease),
            web.post("/api/review/renew", self._renew),
            web.post("/api/review/release", self._release),
            web.post("/api/review/submit", self._submit),
            web.post("/api/review/undo", self._undo),
            web.get("/api/review/progress", self._progress),
            web.get("/api/review/audio", self._audio),
        ]

    async def _lease(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        item, progress = await self._reviews.lease(
            text_field(body, "reviewer"),
            text_field(body, "session_id"),
            text_field(body, "pair_id"),
        )
        return json_answer({"item": _item(item), "progress": _progress(progress)})

    async def _renew(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        expires = await self._reviews.renew(text_field(body, "lease_id"))
        return json_answer({"lease_s": _seconds_until(expires)})

    async def _release(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        await self._reviews.release(text_field(body, "lease_id"), skip=body.get("skip") is True)
        return json_answer({})

    async def _submit(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        try:
            decision = Decision(text_field(body, "decision"))
        except ValueError:
            raise InvalidInput("INVALID_DECISION", "say accepted, fixed or rejected") from None
        sequence, progress = await self._reviews.submit(
            text_field(body, "lease_id"),
            decision,
            text_field(body, "source_text"),
            text_field(body, "target_text"),
            shown_source_text=text_field(body, "shown_source_text"),
            shown_target_text=text_field(body, "shown_target_text"),
        )
        return json_answer({"sequence": sequence, "progress": _progress(progress)})

    async def _undo(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        item, progress = await self._reviews.undo(text_field(body, "reviewer"))
        return json_answer({"item": _item(item), "progress": _progress(progress)})

    async def _progress(self, request: web.Request) -> web.Response:
        progress = await self._reviews.progress(request.query.get("session_id", ""))
        return json_answer({"progress": _progress(progress)})

    async def _audio(self, request: web.Request) -> web.Response:
        wav = await self._reviews.audio(request.query.get("pair_id", ""))
        return web.Response(
            body=wav, content_type="audio/wav", headers={"Cache-Control": "no-store"}
        )


def _item(item: ReviewItem | None) -> dict[str, Any] | None:
    if item is None:
        return None
    lease = item.open.lease
    return {
        "pair": _pair(item.open.machine)
        | {"source_text": item.open.source_text, "target_text": item.open.target_text},
        "priority": item.open.priority,
        "reasons": item.reasons,
        "lease_id": "" if lease is None else lease.lease_id,
        # A duration: the reviewer's clock may be wrong.
        "lease_s": 0.0 if lease is None else _seconds_until(lease.expires),
        "has_audio": item.has_audio,
    }


def _pair(scored: ScoredPair) -> dict[str, Any]:
    """As the machine made it; the texts stand under `original_` as well."""
    pair = scored.pair
    return {
        "pair_id": pair.pair_id,
        "band": scored.band.value,
        "session_id": pair.session_id,
        "segment_id": pair.segment_id,
        "source_language": pair.source_language,
        "target_language": pair.target_language,
        "source_text": pair.source_text,
        "target_text": pair.target_text,
        "original_source_text": pair.source_text,
        "original_target_text": pair.target_text,
        "quality_score": scored.quality_score,
        "stt_confidence": scored.stt_confidence,
        "translation_qe": scored.translation_qe,
        "marian_agreement": scored.marian_agreement,
        "signals": [asdict(signal) for signal in pair.signals],
        "flags": pair.flags,
        "missing_terms": [
            {"source": source, "target": target} for source, target in pair.missing_terms
        ],
        "stt_model": pair.stt_model,
        "mt_model": pair.mt_model,
        "start_offset_ms": pair.start_offset_ms,
        "end_offset_ms": pair.end_offset_ms,
    }


def _progress(progress: Progress) -> dict[str, int]:
    return asdict(progress)


def _seconds_until(time: datetime) -> float:
    return max(0.0, (time - datetime.now(UTC)).total_seconds())
