"""One display's events, through connections with room or without, in every order of turns."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.captions.events import Caption, Event, SegmentHidden
from services.captions.viewer import Query, Viewer
from services.errors import GlossaError, Unavailable

ACTS = st.sampled_from(("partial", "partial", "final", "room", "no room", "turn"))


class Connection:
    """Takes everything, and at times lets whoever writes wait."""

    def __init__(self) -> None:
        self.taken: list[Event] = []
        self.at_once = 0
        self.came = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()

    def write_now(self, event: Event) -> bool:
        if not self.room.is_set():
            return False
        self.taken.append(event)
        self.at_once += 1
        return True

    async def write(self, event: Event) -> None:
        self.taken.append(event)
        self.came.set()
        await self.room.wait()

    async def has(self, event: Event) -> None:
        """Returns once it was taken."""
        while event not in self.taken:
            self.came.clear()
            await self.came.wait()


def caption(sequence: int, segment_id: int, revision: int) -> Event:
    is_final = sequence > 0
    body = Caption(
        segment_id, "en", revision, is_final, "text", "", 0, 0, True, False, 0, 0.0, "model"
    )
    return Event(sequence, "sunday", None, body)


async def play(acts: list[str], queue_events: int) -> tuple[Connection, list[Event], GlossaError]:
    """Does as `acts` say to a viewer; what was offered, and how it ended."""
    viewer, connection = Viewer(Query(), "journal-1", queue_events), Connection()
    viewer.begin((), (), 0)
    viewer.write_through(connection.write_now)
    delivery = asyncio.create_task(viewer.deliver(connection.write))
    offered = []
    segment_id, revision, sequence = 1, 0, 0
    for act in acts:
        if act == "partial":
            revision += 1
            offered.append(caption(0, segment_id, revision))
            viewer.offer(offered[-1])
        elif act == "final":
            sequence += 1
            offered.append(caption(sequence, segment_id, 99))
            viewer.offer(offered[-1])
            segment_id, revision = segment_id + 1, 0
        elif act == "room":
            connection.room.set()
        elif act == "no room":
            connection.room.clear()
        else:
            await asyncio.sleep(0)
    connection.room.set()
    for _ in range(len(acts) + 5):
        await asyncio.sleep(0)
    viewer.cut(Unavailable("SHUTTING_DOWN", "the test is over"))
    with contextlib.suppress(GlossaError):
        await delivery
    error = delivery.exception()
    assert isinstance(error, GlossaError)
    return connection, offered, error


def places(events: list[Event], offered: list[Event]) -> list[int]:
    """Where the events stand among those that were offered."""
    order = {id(event): place for place, event in enumerate(offered)}
    return [order[id(event)] for event in events if id(event) in order]


@settings(deadline=None, max_examples=300)
@given(st.lists(ACTS, max_size=80))
def test_nothing_overtakes_and_every_final_arrives_once(acts: list[str]) -> None:
    connection, offered, error = asyncio.run(play(acts, queue_events=1000))
    assert error.reason == "SHUTTING_DOWN"
    came = places(connection.taken, offered)
    assert came == sorted(set(came))
    finals = [event for event in connection.taken if event.sequence]
    assert finals == [event for event in offered if event.sequence]
    newest = {event.body.segment_id: event for event in offered if isinstance(event.body, Caption)}
    assert set(map(id, newest.values())) <= set(map(id, connection.taken))


@settings(deadline=None, max_examples=300)
@given(st.lists(ACTS, max_size=80))
def test_a_display_that_is_cut_has_every_final_up_to_its_last_one(acts: list[str]) -> None:
    connection, offered, error = asyncio.run(play(acts, queue_events=2))
    assert error.reason in ("SHUTTING_DOWN", "SLOW_CONSUMER")
    came = places(connection.taken, offered)
    assert came == sorted(set(came))
    finals = [event.sequence for event in connection.taken if event.sequence]
    assert finals == list(range(1, len(finals) + 1))
    if error.reason == "SHUTTING_DOWN":
        assert len(finals) == sum(event.sequence > 0 for event in offered)


async def test_an_idle_display_is_written_to_at_once_and_a_busy_one_is_not() -> None:
    idle, *_ = await play(["turn", "turn", "partial", "final"], 10)
    assert idle.at_once == 2
    busy, *_ = await play(["turn", "turn", "no room", "partial", "room", "final"], 10)
    assert busy.at_once == 0


@pytest.mark.parametrize("is_known", [True, False], ids=["in the backlog", "in the queue"])
async def test_what_waits_to_be_shown_again_is_not_when_it_is_hidden_once_more(
    is_known: bool,
) -> None:
    body = caption(1, 7, 9).body
    assert isinstance(body, Caption)
    shown = Event(2, "sunday", None, SegmentHidden(7, False, (body,)))
    hidden = Event(3, "sunday", None, SegmentHidden(7, True))
    viewer, connection = Viewer(Query(), "journal-1", 10), Connection()
    viewer.begin([shown] if is_known else [], (), 1)
    if not is_known:
        viewer.offer(shown)
    viewer.offer(hidden)
    delivery = asyncio.create_task(viewer.deliver(connection.write))
    await asyncio.wait_for(connection.has(hidden), 10)
    viewer.cut(Unavailable("SHUTTING_DOWN", "the test is over"))
    with contextlib.suppress(GlossaError):
        await delivery
    assert shown not in connection.taken
