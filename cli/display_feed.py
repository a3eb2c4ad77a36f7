"""Keeps another program's text what the captions say, through the loss of either."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from cli.client import CaptionSubscriber, Peer
from cli.display_text import DisplayRules, DisplayText
from services.errors import GlossaError, InvalidInput, Unavailable

REPLY_TIMEOUT_S = 3.0  # for one answer of the program that shows the text
_CONFIRM_INTERVAL_S = 5.0
_BACKOFFS_S = (0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True)
class CaptionSource:
    """A captions service.

    Args:
        address: host:port.
        token: view token; empty where none is wanted.
    """

    address: str
    token: str = field(default="", repr=False)


class Output(Protocol):
    """A connection to a program that shows one text. Every call has a deadline of its own."""

    name: str  # for people: what shows the text, and where
    interval_s: float  # shortest time from one text to the next; the newest wins

    async def show(self, text: str, new_finals: tuple[str, ...]) -> None:
        """Shows `text`, nothing when it is empty. Raises Unavailable: it went, or refuses now.

        Args:
            new_finals: the newest finals that came since the last text, oldest first.
        """

    async def confirm(self, text: str) -> None:
        """Makes sure that the program is there and shows `text` still. Raises Unavailable."""


Connect = Callable[[], AbstractAsyncContextManager[Output]]


async def feed(
    source: CaptionSource,
    rules: DisplayRules,
    connect: Connect,
    report: Callable[[str], None],
) -> None:
    """Follows captions and shows them until cancelled; then takes the text away.

    Args:
        connect: a new connection; raises Unavailable when nobody answers, and another GlossaError
            for what a person has to put right.
        report: takes a sentence for people; the same one not twice running.

    Raises:
        GlossaError: what captions or, at the first connection, the program refused for good.
    """
    display = DisplayText(rules)
    changed = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_follow(source, rules, display, changed, _Once(report)))
            tasks.create_task(_keep_showing(display, connect, changed, _Once(report)))
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


class _Once:
    """Says what is new, and not the same again for every attempt."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._said = ""

    def __call__(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            self._report(sentence)


async def _follow(
    source: CaptionSource,
    rules: DisplayRules,
    display: DisplayText,
    changed: asyncio.Event,
    say: _Once,
) -> None:
    peer = Peer("captions service", source.address, "--captions")

    def broken(reason: str) -> None:
        display.lose_unstable()
        changed.set()
        if reason == "UNAVAILABLE":
            say(peer.unanswered() + "; trying again")
        else:
            say(f"no captions from {source.address} now ({reason}); trying again")

    subscriber = CaptionSubscriber(
        source.address,
        session_id=rules.session_id,
        languages=(rules.language,),
        finals_only=not rules.partials,
        token=source.token,
        on_broken=broken,
    )
    async for event in subscriber.events():
        if event.HasField("caught_up"):
            say(f"captions come from {source.address}")
        display.take(event, time.monotonic())
        changed.set()


async def _keep_showing(
    display: DisplayText, connect: Connect, changed: asyncio.Event, say: _Once
) -> None:
    failures = 0
    was_connected = False
    while True:
        try:
            async with connect() as output:
                say(f"captions go to {output.name}")
                was_connected, failures = True, 0
                await _show_changes(display, output, changed)
        except GlossaError as error:
            # Once it worked, whatever is wrong now may be right again in a moment: it restarts, or
            # somebody moves its sources about.
            if not isinstance(error, Unavailable) and not (
                was_connected and isinstance(error, InvalidInput)
            ):
                raise
            say(f"{error.message}; trying again")
        await asyncio.sleep(_BACKOFFS_S[min(failures, len(_BACKOFFS_S) - 1)])
        failures += 1


async def _show_changes(display: DisplayText, output: Output, changed: asyncio.Event) -> None:
    """Shows what there is, then every change; raises Unavailable when the connection is lost."""
    shown: str | None = None
    confirm_at_s = 0.0
    try:
        while True:
            changed.clear()
            now_s = time.monotonic()
            text, new_finals = display.text(now_s), display.take_new_finals()
            if text != shown or new_finals:
                await output.show(text, new_finals)
                shown, confirm_at_s = text, now_s + _CONFIRM_INTERVAL_S
                await asyncio.sleep(output.interval_s)
            elif now_s >= confirm_at_s:
                await output.confirm(text)
                confirm_at_s = now_s + _CONFIRM_INTERVAL_S
            else:
                due_s = min(confirm_at_s, display.changes_at_s() or confirm_at_s)
                await _wait(changed, due_s - now_s)
    except asyncio.CancelledError:
        with contextlib.suppress(GlossaError):
            await output.show("", ())  # nobody is left to take the last line away
        raise


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
