"""What operators do to lines and screens, and a journal of before they could."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from glossa.gateway.v1 import gateway_pb2
from services.errors import reason_of
from tests.gateway.conftest import Stack, Talk
from tests.gateway.peers import sentence, sermon
from tests.gateway.test_sessions import StartStack, of_kind, said

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def hide(stack: Stack, session_id: str, segment_id: int, is_hidden: bool = True) -> int:
    request = gateway_pb2.HideSegmentRequest(
        session_id=session_id, segment_id=segment_id, is_hidden=is_hidden, author="operator"
    )
    return (await stack.calls.HideSegment(request, timeout=10)).sequence


async def set_screens(stack: Stack, *fields: str, **screens: object) -> int:
    """Sets these fields, all where none is named; the event's sequence."""
    request = gateway_pb2.SetScreensRequest(
        screens=gateway_pb2.Screens(**screens), update_mask=FieldMask(paths=fields)
    )
    return (await stack.calls.SetScreens(request, timeout=10)).sequence


async def shown_on_screens(stack: Stack) -> gateway_pb2.Screens:
    return (await stack.calls.GetStatus(gateway_pb2.GetStatusRequest(), timeout=10)).screens


async def test_a_line_is_hidden_and_shown_by_one_event_each(stack: Stack) -> None:
    session_id = await stack.speak(sermon([1, 2]))
    assert await hide(stack, session_id, 2, is_hidden=False) == 0
    hidden = await hide(stack, session_id, 2)
    assert await hide(stack, session_id, 2) == hidden
    shown = await hide(stack, session_id, 2, is_hidden=False)
    assert await hide(stack, session_id, 2, is_hidden=False) == shown
    assert await hide(stack, session_id, 2) > shown
    events = await stack.events(session_id)
    told = of_kind(events, "segment_hidden")
    assert [(each.segment_id, each.is_hidden) for each in told] == [(2, 1), (2, 0), (2, 1)]
    assert {each.author for each in told} == {"operator"}
    assert said(events) == [sentence(1), sentence(2)]  # the journal keeps it


async def test_only_finals_can_be_hidden(stack: Stack) -> None:
    session_id = await stack.speak(sermon([1]))
    for about, segment_id, reason in (
        (session_id, 2, "UNKNOWN_SEGMENT"),
        (session_id, 0, "UNKNOWN_SEGMENT"),
        ("nobody", 1, "UNKNOWN_SESSION"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await hide(stack, about, segment_id)
        assert failure.value.code() == grpc.StatusCode.NOT_FOUND
        assert reason_of(failure.value) == reason


async def test_what_all_screens_show_is_an_event_of_no_session(stack: Stack) -> None:
    sequence = await set_screens(
        stack, is_blank=True, announcement="  Coffee in the hall ", language="en", author="ana"
    )
    event = next(event for event in await stack.events() if event.sequence == sequence)
    assert event.session_id == ""
    screens = gateway_pb2.Screens(
        is_blank=True, announcement="Coffee in the hall", language="en", author="ana"
    )
    assert event.screens == screens == await shown_on_screens(stack)
    assert await set_screens(stack) > sequence
    assert await shown_on_screens(stack) == gateway_pb2.Screens()


async def test_of_two_operators_none_undoes_what_the_other_did(stack: Stack) -> None:
    await set_screens(stack)
    await asyncio.gather(
        set_screens(stack, "is_blank", is_blank=True, author="ana"),
        set_screens(stack, "announcement", "language", announcement="Coffee", language="en"),
    )
    shown = await shown_on_screens(stack)
    assert (shown.is_blank, shown.announcement, shown.language) == (True, "Coffee", "en")
    await set_screens(stack, "announcement", author="eva")
    assert await shown_on_screens(stack) == gateway_pb2.Screens(
        is_blank=True, language="en", author="eva"
    )
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await set_screens(stack, "colour")
    assert reason_of(failure.value) == "UNKNOWN_FIELD"


async def test_an_announcement_has_at_most_500_characters(stack: Stack) -> None:
    await set_screens(stack, announcement="é" * 500)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await set_screens(stack, announcement="é" * 501)
    assert reason_of(failure.value) == "TEXT_TOO_LONG"
    assert len((await shown_on_screens(stack)).announcement) == 500


async def test_screens_show_the_same_after_a_crash(own_stack: StartStack) -> None:
    stack = await own_stack()
    for announcement in ("first", "second"):
        await set_screens(stack, announcement=announcement)
    stack.gateway.kill()
    stack.gateway.start()
    await stack.gateway.wait_ready()
    assert (await shown_on_screens(stack)).announcement == "second"


async def test_a_journal_of_before_sessions_could_be_held_opens_and_goes_on(
    own_stack: StartStack,
) -> None:
    stack = await own_stack()
    ended = await stack.speak(sermon([1]))
    talk = await Talk.begun(stack)
    await talk.say(sermon([2]))
    await talk.finals(1)
    stack.gateway.kill()
    with closing(sqlite3.connect(stack.folder / "journal.db", isolation_level=None)) as journal:
        journal.execute("ALTER TABLE sessions DROP COLUMN held_from_sample")
        journal.execute("DROP INDEX screens_of_journal")
    stack.gateway.start()
    await stack.gateway.wait_ready()
    await talk.resume()
    await talk.hold()
    await talk.say(sermon([3]))
    await talk.hold(False)
    await talk.say(sermon([4]))
    assert said(await talk.end()) == [sentence(2), sentence(4)]
    assert said(await stack.events(ended)) == [sentence(1)]
