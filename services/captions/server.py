"""CaptionService over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import lru_cache

import grpc

from glossa.captions.v1 import captions_pb2, captions_pb2_grpc
from services.captions.events import (
    Caption,
    CaptionDropped,
    CaughtUp,
    Event,
    Screens,
    SegmentHidden,
    SessionEnded,
    SessionForgotten,
    SessionHeld,
    SessionReset,
    SessionStarted,
)
from services.captions.history import SessionRecord
from services.captions.relay import Relay
from services.captions.viewer import Query

SERVICE_NAME = captions_pb2.DESCRIPTOR.services_by_name["CaptionService"].full_name


class CaptionServicer(captions_pb2_grpc.CaptionServiceServicer):
    """Passes on what the relay knows."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        relay.on_forgotten(_message.cache_clear)

    async def Subscribe(
        self, request: captions_pb2.SubscribeRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[captions_pb2.SubscribeResponse]:
        query = Query(
            request.session_id,
            tuple(request.languages),
            request.after_sequence,
            request.finals_only,
        )
        async with self._relay.watching(query, "grpc") as viewer:
            # Written, not yielded: only so is a write to a stalled display noticed, and ended.
            await viewer.deliver(lambda event: context.write(_message(event, viewer.journal_id)))
        return
        yield  # makes this the generator that the server expects

    async def ListSessions(
        self, request: captions_pb2.ListSessionsRequest, context: grpc.aio.ServicerContext
    ) -> captions_pb2.ListSessionsResponse:
        await self._relay.ready()
        return captions_pb2.ListSessionsResponse(
            sessions=[_session(record) for record in self._relay.sessions()]
        )


def _session(record: SessionRecord) -> captions_pb2.Session:
    message = captions_pb2.Session(
        session_id=record.session_id,
        title=record.title,
        source_language=record.source_language,
        target_languages=record.target_languages,
        is_live=record.is_live,
        is_held=record.is_held,
    )
    if record.start_time is not None:
        message.start_time.FromDatetime(record.start_time)
    return message


@lru_cache(maxsize=4096)
def _message(event: Event, journal_id: str) -> captions_pb2.SubscribeResponse:
    """The event on the wire, built once for all displays: treat it as frozen."""
    message = captions_pb2.SubscribeResponse(
        sequence=event.sequence, session_id=event.session_id, journal_id=journal_id
    )
    if event.time is not None:
        message.time.FromDatetime(event.time)
    match event.body:
        case SessionStarted(title, source_language, target_languages):
            message.session_started.title = title
            message.session_started.source_language = source_language
            message.session_started.target_languages.extend(target_languages)
        case Caption() as caption:
            message.caption.CopyFrom(_caption(caption))
        case CaptionDropped(segment_id, language):
            message.caption_dropped.segment_id = segment_id
            message.caption_dropped.language = language
        case SessionEnded(final_count):
            message.session_ended.SetInParent()
            message.session_ended.final_count = final_count
        case SessionForgotten():
            message.session_forgotten.SetInParent()
        case SegmentHidden(segment_id, is_hidden, captions):
            message.segment_hidden.segment_id = segment_id
            message.segment_hidden.is_hidden = is_hidden
            message.segment_hidden.captions.extend(_caption(each) for each in captions)
        case SessionHeld(is_held):
            message.session_held.SetInParent()
            message.session_held.is_held = is_held
        case SessionReset(segment_id):
            message.session_reset.SetInParent()
            message.session_reset.segment_id = segment_id
        case Screens(is_blank, announcement, language):
            message.screens.SetInParent()
            message.screens.is_blank = is_blank
            message.screens.announcement = announcement
            message.screens.language = language
        case CaughtUp(sequence):
            message.caught_up.SetInParent()
            message.caught_up.sequence = sequence
    return message


def _caption(caption: Caption) -> captions_pb2.Caption:
    return captions_pb2.Caption(**{name: getattr(caption, name) for name in Caption.__slots__})
