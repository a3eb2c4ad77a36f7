"""Brings the journal into the queues: follows, judges, writes, and waits for whatever is away.

One task reads the gateway into a bounded buffer, one writes the buffer to Redis. A full buffer
stops the reading (the journal keeps what is not read), so a Redis that is away for an hour costs
nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Literal, TypeVar

import grpc
import structlog

from services import traces
from services.channels import open_channel
from services.collector import metrics
from services.collector.acceptance import AcceptedShare
from services.collector.bands import BANDS
from services.collector.pair import (
    Change,
    Decision,
    ExcludedPair,
    ForgottenSession,
    Judged,
    Pair,
    ReviewedPair,
    ScoredPair,
)
from services.collector.queues import Queues, Written
from services.collector.reports import Reports
from services.collector.settings import CollectorSettings
from services.collector.upkeep import Upkeep
from services.collector.upstream import Event, Upstream
from services.collector.write_script import Write
from services.errors import Unavailable, error_info, reason_of

log = structlog.get_logger()

_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 2.0
_FIRST_MESSAGE_TIMEOUT_S = 30.0  # even an empty journal says at once that this is all

ResultT = TypeVar("ResultT")


class Follower:
    """Follows all sessions of one gateway until cancelled."""

    def __init__(
        self,
        queues: Queues,
        upkeep: Upkeep,
        judge: Callable[[Pair], Judged],
        reports: Reports,
        settings: CollectorSettings,
    ) -> None:
        self._queues = queues
        self._upkeep = upkeep
        self._reports = reports
        self._judge = judge
        self._settings = settings
        self.journal_id = ""  # empty before the first event
        self.cursor = 0  # last sequence of this journal that Redis said to have
        self.accepted_share = AcceptedShare()
        self._journal_end: int | None = None  # set while a journal that lost its end is looked for
        self._lost_for = ""  # why the gateway is not followed now, as logged last
        self._queue_state: Literal["unknown", "there", "away"] = "unknown"

    async def run(self) -> None:
        for band in BANDS:
            metrics.PAIRS.labels(band.value)
        for decision in Decision:
            metrics.DECISIONS.labels(decision.value)
        log.info(
            "judging",
            calibration=self._settings.calibration.id,
            **dataclasses.asdict(self._settings.thresholds()),
        )
        backoff = _Backoff()
        address = self._settings.gateway_address
        async with open_channel(address) as channel:
            upstream = Upstream(channel, self._judge)
            while True:
                await self._keep_up(idle=True)
                if await self._follow(upstream):
                    backoff.reset()
                await backoff.wait()

    async def _follow(self, upstream: Upstream) -> bool:
        """Follows from the cursor until something ends it; whether the gateway answered."""
        after_sequence = 0 if self._journal_end is not None else self.cursor
        answered = False
        async with contextlib.aclosing(upstream.follow(after_sequence)) as events:
            try:
                async with asyncio.timeout(_FIRST_MESSAGE_TIMEOUT_S):
                    first = await anext(events, None)
                if first is not None:
                    answered = True
                    await self._recognise(first.journal_id)
                    if self.cursor == after_sequence:
                        await self._transfer(first, events)
            except TimeoutError:
                self._note_lost("SILENT")
            except grpc.aio.AioRpcError as error:
                self._note_failure(error)
        return answered

    async def _recognise(self, journal_id: str) -> None:
        """Learns which journal this is, and where in it Redis stands."""
        journal_end, self._journal_end = self._journal_end, None
        if journal_end is not None and journal_id == self.journal_id:
            # A power cut can cost a gateway its newest events. Its next ones come under numbers
            # that were seen before: with the old cursor they would be taken for duplicates.
            log.warning("journal_lost_its_end", cursor=self.cursor, journal_end=journal_end)
            await self._patiently(lambda: self._queues.rewind(journal_id, journal_end))
            self._set_cursor(journal_end)
        elif journal_id != self.journal_id:
            log.info("journal_found", journal_id=journal_id, instead_of=self.journal_id)
            cursor = await self._patiently(lambda: self._queues.cursor(journal_id))
            self.journal_id = journal_id
            self._set_cursor(cursor)

    def _note_failure(self, error: grpc.aio.AioRpcError) -> None:
        reason = reason_of(error)
        self._note_lost(reason)
        if reason == "SEQUENCE_AHEAD":
            info = error_info(error)
            end = info.metadata.get("last_sequence", "") if info is not None else ""
            self._journal_end = int(end) if end.isdecimal() else self.cursor

    def _note_lost(self, reason: str) -> None:
        """One line an outage, not one an attempt."""
        metrics.UPSTREAM_CONNECTED.set(0)
        if reason != self._lost_for:
            log.warning("upstream_lost", address=self._settings.gateway_address, reason=reason)
        self._lost_for = reason

    async def _transfer(self, first: Event, events: AsyncGenerator[Event, None]) -> None:
        """Brings the events into Redis until the stream ends, or until Redis is behind."""
        log.info("following", after_sequence=self.cursor)
        metrics.UPSTREAM_CONNECTED.set(1)
        self._lost_for = ""
        buffer: asyncio.Queue[Event | None] = asyncio.Queue(self._settings.event_buffer)
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(self._read(first, events, buffer))
                await self._write(buffer)
                reading.cancel()
        finally:
            metrics.UPSTREAM_CONNECTED.set(0)
            metrics.EVENTS_WAITING.set(0)

    async def _read(
        self,
        event: Event,
        events: AsyncGenerator[Event, None],
        buffer: asyncio.Queue[Event | None],
    ) -> None:
        """Puts events in the buffer, waiting while it is full, and None after the last."""
        try:
            if event.sequence:
                await buffer.put(event)
            async for event in events:
                if event.sequence:
                    await buffer.put(event)
                    metrics.EVENTS_WAITING.set(buffer.qsize())
            self._note_lost("ENDED")
        except grpc.aio.AioRpcError as error:
            self._note_failure(error)
        await buffer.put(None)

    # Into Redis

    async def _write(self, buffer: asyncio.Queue[Event | None]) -> None:
        """Writes what comes until the buffer ends, or until Redis turns out to be behind."""
        unsaved = 0  # last sequence that changed nothing and is not in Redis yet
        save_at = 0.0
        now = asyncio.get_running_loop().time
        at_end = False
        while not at_end:
            wait_s = save_at - now() if unsaved else self._settings.queue_check_interval_s
            events = await _take(buffer, max(0.0, wait_s))
            writes = []
            for event in events:
                if event is None:
                    at_end = True
                elif event.change is not None or event.ended_session:
                    writes.append(Write(event.sequence, event.change))
                    unsaved = 0
                    self._tell_reports(event)
                else:
                    save_at = save_at if unsaved else now() + self._settings.progress_interval_s
                    unsaved = event.sequence
            if unsaved and (at_end or now() >= save_at):
                writes.append(Write(unsaved))
                unsaved = 0
            if writes:
                is_behind = await self._write_all(writes)
            else:
                is_behind = not events and await self._patiently(self._lost_its_end)
            if is_behind:
                return
            await self._keep_up(idle=not events)

    def _tell_reports(self, event: Event) -> None:
        """Before it is in Redis: a report of a forgotten session must not outlive a crash."""
        if event.ended_session:
            self._reports.session_ended(event.ended_session)
        if isinstance(event.change, ForgottenSession):
            self._reports.session_forgotten(event.change.session_id)

    async def _write_all(self, writes: list[Write]) -> bool:
        """Whether Redis was behind; then the cursor is its own, and the rest is not written."""
        start_ns = time.time_ns()
        with metrics.WRITE_SECONDS.time():
            written: Written = await self._patiently(
                lambda: self._queues.write(self.journal_id, self.cursor, writes)
            )
        for write, outcome in zip(writes, written.outcomes, strict=True):
            if outcome == "duplicate":
                metrics.DUPLICATES.inc()
            elif outcome == "written":
                self._count(write.change)
                _trace(write, start_ns)
        if written.is_behind:
            self._note_behind(written.cursor)
        else:
            self._set_cursor(written.cursor)
        return written.is_behind

    def _count(self, change: Change | None) -> None:
        match change:
            case ScoredPair():
                metrics.PAIRS.labels(change.band.value).inc()
                if self.accepted_share.add(change):
                    log.warning("auto_accept_ratio", advice=self.accepted_share.advice)
                if self.accepted_share.ratio is not None:
                    metrics.AUTO_ACCEPT_RATIO.set(self.accepted_share.ratio)
            case ExcludedPair():
                metrics.EXCLUSIONS.labels(change.reason).inc()
            case ReviewedPair():
                metrics.DECISIONS.labels(change.decision.value).inc()
            case ForgottenSession():
                metrics.SESSIONS_FORGOTTEN.inc()
                log.info("session_forgotten", session_id=change.session_id)
            case _:
                pass

    async def _lost_its_end(self) -> bool:
        """Looks at an idle Redis: whether it knows less than it once said."""
        stored = await self._queues.cursor(self.journal_id)
        if stored >= self.cursor:
            return False
        self._note_behind(stored)
        return True

    async def _keep_up(self, *, idle: bool) -> None:
        await self._patiently(lambda: self._upkeep.do_what_is_due(idle=idle))

    def _note_behind(self, stored: int) -> None:
        log.warning("queue_behind", cursor=self.cursor, stored=stored)
        self._set_cursor(stored)

    def _set_cursor(self, cursor: int) -> None:
        self.cursor = cursor
        metrics.CURSOR.set(cursor)

    async def _patiently(self, action: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Does `action` again and again until Redis takes it."""
        backoff = _Backoff()
        while True:
            try:
                result = await action()
            except Unavailable as error:
                if self._queue_state != "away":
                    log.warning("queue_away", reason=error.reason, message=error.message)
                self._queue_state = "away"
                await self._upkeep.note_away(error.message)
                metrics.QUEUE_AVAILABLE.set(0)
                await backoff.wait()
            else:
                if self._queue_state != "there":
                    log.info("queue_there")
                self._queue_state = "there"
                metrics.QUEUE_AVAILABLE.set(1)
                return result


def _trace(write: Write, start_ns: int) -> None:
    """A pair that is in Redis now, or was counted there."""
    judged = write.change
    if not isinstance(judged, ScoredPair | ExcludedPair):
        return
    pair = judged.pair
    outcome = judged.band.value if isinstance(judged, ScoredPair) else judged.reason
    with traces.segment_span(
        "collector write",
        pair.session_id,
        pair.segment_id,
        start_ns=start_ns,
        sequence=write.sequence,
        language=pair.target_language,
        band=outcome,
    ):
        pass


class _Backoff:
    """Waits twice as long each time, and never as long as everyone else."""

    def __init__(self) -> None:
        self._next_s = _FIRST_BACKOFF_S

    def reset(self) -> None:
        self._next_s = _FIRST_BACKOFF_S

    async def wait(self) -> None:
        await asyncio.sleep(self._next_s * random.uniform(0.5, 1.0))  # noqa: S311
        self._next_s = min(2 * self._next_s, _LONGEST_BACKOFF_S)


async def _take(buffer: asyncio.Queue[Event | None], timeout_s: float) -> list[Event | None]:
    """Everything that is in the buffer now, waiting for the first; empty after `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            events = [await buffer.get()]
    except TimeoutError:
        return []
    while not buffer.empty():
        events.append(buffer.get_nowait())
    return events
