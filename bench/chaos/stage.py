"""A stack with both viewers before it, on which sermons are preached while faults happen."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import grpc

from bench.chaos.comparison import compare, lateness_s
from bench.chaos.proxy import Proxy
from bench.chaos.sermon import Preacher, speak_sentences
from bench.chaos.shims import Shims
from bench.chaos.verdict import Losses, Recovery, Verdict
from bench.chaos.viewers import Viewers
from cli.client import Closed, SessionRequest, SpeakerClient
from cli.ledger import BANDS, Collected, Ledger, missing, read_collected
from cli.supervisor import Supervisor
from services.channels import open_channel
from services.errors import Unavailable, WrongState

TARGETS = ("es",)
_READY_TIMEOUT_S = 120.0
_POLL_S = 0.05
_SETTLE_S = 60.0  # without any progress
_PATIENCE = 4
_FAULT_TIMEOUT_S = 900.0
_LEAD_S = 5.0  # of speech before the first fault, so that there are finals to compare with

Condition = Callable[[], Awaitable[bool]]


@dataclass
class Scene:
    """A sermon that is being preached, and what is noted of the fault that falls into it."""

    stage: Stage
    speaker: SpeakerClient
    preacher: Preacher
    chance: Random
    times: int = 0
    noticed: list[Recovery] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    async def speak_on(self, least_s: float, most_s: float) -> None:
        """Lets between `least_s` and `most_s` of speech go by."""
        until_s = self.speaker.sent_s + self.chance.uniform(least_s, most_s)
        async with asyncio.timeout(_READY_TIMEOUT_S):
            while True:
                if self.speaker.sent_s >= until_s:
                    return
                await asyncio.sleep(_POLL_S)

    async def notice(self, is_so: Condition, what: str, within_s: float) -> None:
        """Waits until an operator is shown it."""
        await self._until(self.noticed, is_so, f"{what} was noticed", within_s)

    async def recover(self, is_so: Condition, what: str, within_s: float) -> None:
        """Waits until it is as before."""
        await self._until(self.recoveries, is_so, what, within_s)

    def take_back(self, what: str, took_s: float, within_s: float) -> None:
        """Notes a recovery that the caller has timed."""
        self.recoveries.append(Recovery(what, took_s, within_s))

    async def _until(
        self, waits: list[Recovery], is_so: Condition, what: str, within_s: float
    ) -> None:
        """Notes how long it takes; that it never came to be after _PATIENCE times as long."""
        began_at_s = time.monotonic()
        while not await is_so():
            if time.monotonic() - began_at_s > _PATIENCE * within_s:
                self.failures.append(f"not so after {_PATIENCE * within_s:.0f} s: {what}")
                return
            await asyncio.sleep(_POLL_S)
        waits.append(Recovery(what, time.monotonic() - began_at_s, within_s))


Inflict = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Rigging:
    """What a stack was given that a plain one has not.

    Args:
        proxies: between the gateway and an engine, by the engine's name.
        clock: the file that moves the time of day of its processes.
    """

    proxies: Mapping[str, Proxy] = field(default_factory=dict)
    shims: Shims | None = None
    clock: Path | None = None


PLAIN = Rigging()


class Stage:
    """One running stack, watched by the viewers from its beginning to its end."""

    def __init__(
        self, supervisor: Supervisor, viewers: Viewers, sentences: list[bytes], rigging: Rigging
    ) -> None:
        self.supervisor = supervisor
        self.viewers = viewers
        self.proxies = rigging.proxies
        self.clock = rigging.clock
        self._shims = rigging.shims
        self._sentences = sentences

    @property
    def shims(self) -> Shims:
        """Raises WrongState NOT_RIGGED: this stack has none."""
        if self._shims is None:
            raise WrongState("NOT_RIGGED", "this stack has no program that can be broken")
        return self._shims

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, supervisor: Supervisor, rigging: Rigging = PLAIN) -> AsyncIterator[Stage]:
        """A stage on a stack that runs."""
        plan = supervisor.plan
        viewers = Viewers(plan.address("captions"), plan.page_url)
        sentences = await speak_sentences(plan.state_dir)
        with viewers.watching():
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await viewers.ready.wait()
            yield cls(supervisor, viewers, sentences, rigging)

    def address(self, service: str) -> str:
        return self.supervisor.plan.address(service)

    def pid(self, service: str) -> int:
        """Raises Unavailable NOT_RUNNING: it is being started again."""
        child = self.supervisor.states[service].child
        if child is None:
            raise Unavailable("NOT_RUNNING", f"{service} is not running now")
        return child.pid

    async def ready(self, service: str, *, but_pid: int = 0) -> None:
        """Waits until the service is ready, with another process id than `but_pid`."""
        state = self.supervisor.states[service]
        async with asyncio.timeout(_READY_TIMEOUT_S):
            while True:
                if state.state == "ready" and state.child and state.child.pid != but_pid:
                    return
                await asyncio.sleep(_POLL_S)

    async def play(self, name: str, inflict: Inflict, chance: Random) -> Verdict:
        """Preaches until `inflict` is done, ends the session and compares everything."""
        preacher = Preacher(self._sentences)
        speaker = SpeakerClient(
            self.address("gateway"), SessionRequest("en", TARGETS, title=name), speed=1.0
        )
        scene = Scene(self, speaker, preacher, chance)
        speaking = asyncio.create_task(speaker.stream(preacher.chunks()))
        try:
            await scene.speak_on(_LEAD_S, _LEAD_S + 2)
            began_at_s = time.monotonic()
            try:
                async with asyncio.timeout(_FAULT_TIMEOUT_S):
                    await inflict(scene)
            finally:
                preacher.stop()
            closed = await speaking
        finally:
            speaking.cancel()
        losses = await self._settle(scene, closed)
        late_s = lateness_s(
            self.viewers.sights["gRPC"][closed.session_id], speaker.sent_times.of, began_at_s
        )
        return Verdict(
            fault=name,
            times=scene.times,
            losses=replace(losses, late_s=late_s),
            noticed=tuple(scene.noticed),
            recoveries=tuple(scene.recoveries),
            failures=tuple(scene.failures),
            seen=tuple(scene.seen),
        )

    async def _settle(self, scene: Scene, closed: Closed) -> Losses:
        """Waits until nothing is missing, or nothing has moved for _SETTLE_S; compares then."""
        ledger = Ledger(closed.session_id)
        collected: Collected | None = None
        before: object = None
        moved_at_s = time.monotonic()
        sights = {name: seen[closed.session_id] for name, seen in self.viewers.sights.items()}
        async with (
            open_channel(self.address("gateway")) as gateway,
            open_channel(self.address("collector")) as collector,
        ):
            while True:
                try:
                    await ledger.read_on(gateway)
                    collected = await read_collected(collector, closed.session_id)
                except grpc.aio.AioRpcError:
                    pass  # it is being started again; the limit below is the judge
                lacking = [
                    line
                    for sight in sights.values()
                    for line in missing(
                        ledger, collected, TARGETS, sight.finals(), closed.final_count
                    )
                ]
                if not lacking:
                    break
                if lacking != before:
                    before, moved_at_s = lacking, time.monotonic()
                if time.monotonic() - moved_at_s > _SETTLE_S:
                    scene.failures += dict.fromkeys(lacking)
                    break
                await asyncio.sleep(4 * _POLL_S)
        return compare(
            ledger,
            sights,
            await asyncio.to_thread(self.queued_pair_ids, closed.session_id),
            collected or Collected(0, Counter()),
            spoken=scene.preacher.spoken,
            announced_finals=closed.final_count,
            targets=TARGETS,
        )

    def queued_pair_ids(self, session_id: str) -> list[str]:
        """The pairs of a session in Redis, past the collector; each as often as it is there."""
        return [pair_id for pair_id in self._queued() if pair_id.startswith(f"{session_id}/")]

    def all_pair_ids(self) -> set[str]:
        """Every pair in Redis."""
        return set(self._queued())

    def _queued(self) -> list[str]:
        with contextlib.closing(self.redis()) as connection:
            return [
                fields["pair_id"]
                for band in BANDS.values()
                for _, fields in connection.xrange(f"glossa:pairs:{band}")
            ]

    def redis(self, timeout_s: float = 10.0) -> Any:
        """Redis as its operator has it; to be closed."""
        import redis

        state_dir = self.supervisor.plan.state_dir
        return redis.Redis.from_url(
            f"redis://{self.address('redis')}/0",
            username="operator",
            password=(state_dir / "redis" / "operator.password").read_text(),
            decode_responses=True,
            socket_timeout=timeout_s,
        )
