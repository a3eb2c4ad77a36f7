"""Follows what is upstream, a gateway or another captions service, across every interruption."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
import structlog

from services.captions.events import Event
from services.captions.settings import CaptionsSettings
from services.captions.sources import GatewaySource, RelaySource
from services.channels import open_channel
from services.errors import error_info, reason_of

log = structlog.get_logger()

_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """The upstream has sent everything up to `sequence`; `caught_up`: everything there is."""

    sequence: int
    caught_up: bool


@dataclass(frozen=True, slots=True)
class Restarted:
    """Sequences count in another journal now; what was known is void and comes again."""

    journal_id: str


@dataclass(frozen=True, slots=True)
class Trimmed:
    """The upstream keeps nothing up to `sequence` any more; what follows comes after it."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection broke: partials shown may never be taken back. It is tried again."""


Update = Event | Progress | Restarted | Trimmed | Lost


class Source(Protocol):
    """One kind of upstream. Every message that it sends has a journal_id."""

    def open(self, after_sequence: int) -> Any:
        """Opens the stream of everything after a sequence, then live."""

    def event(self, message: Any) -> Event | None:
        """The caption event in a message; None when it holds nothing for displays."""

    def sequence(self, message: Any) -> tuple[int, bool]:
        """The sequence that a message reaches (0: none), and whether it says caught up."""

    def forget(self) -> None:
        """Drops what was remembered of the journal."""


class Upstream:
    """An endless stream of updates, resumed from the last sequence after each interruption."""

    def __init__(self, settings: CaptionsSettings) -> None:
        self._address = settings.upstream_address
        self._kind = settings.upstream_kind
        self._session_limit = settings.session_limit
        self._cursor = 0
        self._journal_id = ""

    async def updates(self) -> AsyncGenerator[Update, None]:
        backoff_s = _FIRST_BACKOFF_S
        async with open_channel(self._address) as channel:
            source: Source = (
                GatewaySource(channel, self._session_limit)
                if self._kind == "gateway"
                else RelaySource(channel)
            )
            while True:
                call = source.open(self._cursor)
                try:
                    async for message in call:
                        backoff_s = _FIRST_BACKOFF_S
                        if message.journal_id != self._journal_id:
                            starts_again = self._cursor > 0
                            self._restart(source, message.journal_id)
                            yield Restarted(self._journal_id)
                            if starts_again:
                                break
                        for update in self._read(source, message):
                            yield update
                    else:
                        log.warning("upstream_ended", address=self._address)
                        yield Lost()
                except grpc.aio.AioRpcError as error:
                    reason = reason_of(error)
                    # Once an outage, not once a try.
                    level = log.warning if backoff_s == _FIRST_BACKOFF_S else log.debug
                    level("upstream_lost", address=self._address, reason=reason)
                    yield Lost()
                    for update in self._recover(source, error, reason):
                        yield update
                finally:
                    call.cancel()
                await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311
                backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)

    def _read(self, source: Source, message: Any) -> list[Update]:
        sequence, caught_up = source.sequence(message)
        if 0 < sequence <= self._cursor and not caught_up:
            return []  # seen before the interruption
        event = source.event(message)
        self._cursor = max(self._cursor, sequence)
        updates: list[Update] = [] if event is None else [event]
        if caught_up or (sequence and event is None):
            updates.append(Progress(sequence, caught_up))
        return updates

    def _recover(self, source: Source, error: grpc.aio.AioRpcError, reason: str) -> list[Update]:
        if reason == "SEQUENCE_AHEAD":
            self._restart(source, "")
            return [Restarted("")]
        if reason == "HISTORY_TRIMMED":
            info = error_info(error)
            with contextlib.suppress(ValueError):
                oldest = int(info.metadata.get("oldest_sequence", "")) if info is not None else 0
                if oldest > self._cursor + 1:
                    self._cursor = oldest - 1
                    return [Trimmed(self._cursor)]
        return []

    def _restart(self, source: Source, journal_id: str) -> None:
        if self._journal_id:
            log.warning("journal_changed", address=self._address)
        self._journal_id = journal_id
        self._cursor = 0
        source.forget()
