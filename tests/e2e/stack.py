"""A whole stack as a volunteer runs it (`./glossa up`), for tests that kill parts of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import grpc
import redis

from cli.client import CaptionSubscriber, Chunk, Closed, SessionRequest, SpeakerClient
from glossa.captions.v1 import captions_pb2
from glossa.collector.v1 import collector_pb2, collector_pb2_grpc
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.channels import open_channel
from tests.cli.verb import run_verb
from tests.processes import REPOSITORY, free_port_base
from tests.speech import Pcm, chunks

START_TIMEOUT_S = 90.0
SETTLE_TIMEOUT_S = 60.0
BANDS = ("accept", "moderate", "review", "reject")


class UpStack:
    """`glossa up` as a process of its own."""

    def __init__(
        self,
        folder: Path,
        profile: str = "embedded",
        *,
        options: Sequence[str] = (),
        **settings: object,
    ) -> None:
        """`options` are more of the verb's ("--lan"); `settings` are variables over the profile's:
        `UpStack(f, GLOSSA_MT_RUNTIME="gguf")`."""
        self._folder = folder
        self._profile = profile
        self._options = options
        self._settings = {name: str(value) for name, value in settings.items()}
        self._base = free_port_base()
        self._log_path = folder / "up.log"
        self.datasets = folder / "datasets"
        self._process: subprocess.Popen[bytes]

    async def start(self) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("GLOSSA_")}
        with self._log_path.open("wb") as log_file:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "cli", "up", "--profile", self._profile),
                    *("--state-dir", str(self._folder), "--port-base", str(self._base)),
                    *self._options,
                ],
                cwd=REPOSITORY,
                env={**inherited, **self._settings},
                stdout=log_file,
                stderr=log_file,
                start_new_session=True,
            )
        async with asyncio.timeout(START_TIMEOUT_S):
            while self.description().get("phase") != "ready":
                if self._process.poll() is not None:
                    raise RuntimeError(self.log())
                await asyncio.sleep(0.1)

    def stop(self) -> int:
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(60)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        """What the verb has printed so far."""
        return self._log_path.read_text()

    def description(self) -> dict[str, Any]:
        """stack.json, or {} while there is none."""
        try:
            description: dict[str, Any] = json.loads((self._folder / "stack.json").read_text())
        except FileNotFoundError:
            return {}
        return description

    @property
    def page_url(self) -> str:
        return str(self.description()["page_url"])

    def address(self, service: str) -> str:
        return str(self.description()["addresses"][service])

    def pid(self, service: str) -> int:
        return int(self.description()["services"][service]["pid"])

    async def kill_service(self, service: str) -> None:
        """kill -9, and waits until the supervisor has another one ready."""
        pid = self.pid(service)
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(START_TIMEOUT_S):
            while True:
                state = self.description()["services"][service]
                if state["state"] == "ready" and state["pid"] not in (None, pid):
                    return
                await asyncio.sleep(0.05)

    def speaker(
        self, *, speed: float, source: str = "en", target: str = "es", **request: Any
    ) -> SpeakerClient:
        return SpeakerClient(
            self.address("gateway"), SessionRequest(source, (target,), **request), speed=speed
        )

    async def events(self, session_id: str) -> list[gateway_pb2.JournalEvent]:
        """The session's events, once it has ended and each translation is scored."""
        async with (
            asyncio.timeout(SETTLE_TIMEOUT_S),
            open_channel(self.address("gateway")) as channel,
        ):
            call = gateway_pb2_grpc.JournalServiceStub(channel).Follow(
                gateway_pb2.FollowRequest(session_id=session_id)
            )
            events: list[gateway_pb2.JournalEvent] = []
            try:
                async for response in call:
                    if not response.HasField("event"):
                        continue
                    events.append(response.event)
                    kinds = [event.WhichOneof("event") for event in events]
                    if "session_ended" in kinds and kinds.count("pair_scored") == kinds.count(
                        "translation"
                    ):
                        return events
            finally:
                call.cancel()
        raise AssertionError("the journal's stream ended")

    async def finals(self, session_id: str, count: int) -> dict[str, dict[int, str]]:
        """Of an open session, by kind as texts() has them, once so many were translated."""
        async with (
            asyncio.timeout(SETTLE_TIMEOUT_S),
            open_channel(self.address("gateway")) as channel,
        ):
            stub = gateway_pb2_grpc.JournalServiceStub(channel)
            request = gateway_pb2.FollowRequest(session_id=session_id, until_now=True)
            while True:
                answers = [each async for each in stub.Follow(request, timeout=20)]
                events = [each.event for each in answers if each.HasField("event")]
                found = {kind: texts(events, kind) for kind in ("transcript", "translation")}
                if all(len(each) >= count for each in found.values()):
                    return found
                await asyncio.sleep(0.05)

    async def stats_after(self, sequence: int, session_id: str) -> collector_pb2.StatsResponse:
        """The collector's figures of a session, once everything up to `sequence` is in Redis."""
        async with (
            asyncio.timeout(SETTLE_TIMEOUT_S),
            grpc.aio.insecure_channel(self.address("collector")) as channel,
        ):
            stub = collector_pb2_grpc.CollectorServiceStub(channel)
            while True:
                try:
                    stats = await stub.Stats(
                        collector_pb2.StatsRequest(session_id=session_id), timeout=5
                    )
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.2)
                    continue
                if stats.cursor_sequence >= sequence:
                    return stats
                await asyncio.sleep(0.1)

    def redis(self) -> redis.Redis:
        """Redis as its operator has it, past the collector; to be closed."""
        password_file = Path(self.description()["state_dir"]) / "redis" / "operator.password"
        return redis.Redis.from_url(
            f"redis://{self.address('redis')}/0",
            username="operator",
            password=password_file.read_text(),
            decode_responses=True,
            socket_timeout=10,
        )

    def queued(self, session_id: str, *streams: str) -> list[dict[str, str]]:
        """The entries of a session, those of all bands unless other streams are named."""
        with self.redis() as connection:
            return [
                fields
                for stream in streams or BANDS
                for _, fields in connection.xrange(f"glossa:pairs:{stream}")
                if fields["session_id"] == session_id
            ]

    def queued_pair_ids(self, session_id: str) -> list[str]:
        return [fields["pair_id"] for fields in self.queued(session_id)]

    @property
    def client_environment(self) -> dict[str, str]:
        """The variables with which a verb finds this stack."""
        return {
            **self._settings,
            "GLOSSA_STATE_DIR": str(self._folder),
            "GLOSSA_DATASETS_DIR": str(self.datasets),
        }

    async def verb(self, *arguments: str) -> str:
        """What `./glossa <arguments>` writes to stdout, run beside this stack; it must end well."""
        done = await asyncio.to_thread(run_verb, *arguments, **self.client_environment)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    async def exported(self, session_id: str, *bands: str) -> list[dict[str, Any]]:
        """What `./glossa queue export` gives of a session, all bands unless some are named."""
        lines = await self.verb(
            *("queue", "export", "--session", session_id, "--out", "-"),
            *(argument for band in bands or BANDS for argument in ("--band", band)),
        )
        return [json.loads(line) for line in lines.splitlines()]


class Display:
    """A custom display: remembers each final caption of one session that it was shown."""

    def __init__(self, address: str) -> None:
        self._subscriber = CaptionSubscriber(address)
        self.finals: dict[tuple[str, int, str], captions_pb2.Caption] = {}
        self.sequences: list[int] = []

    async def watch(self) -> None:
        async for event in self._subscriber.events():
            if event.sequence:
                self.sequences.append(event.sequence)
            if event.HasField("caption") and event.caption.is_final:
                caption = event.caption
                self.finals[event.session_id, caption.segment_id, caption.language] = caption

    def texts(self, session_id: str, language: str) -> dict[int, str]:
        """The finals of a session in one language by segment."""
        return {
            segment_id: caption.stable_text
            for (session, segment_id, spoken), caption in self.finals.items()
            if (session, spoken) == (session_id, language)
        }


async def source(pcm: Pcm) -> AsyncIterator[Chunk]:
    for first_sample, data in chunks(pcm):
        yield Chunk(first_sample, data)


async def speak(speaker: SpeakerClient, pcm: Pcm) -> Closed:
    return await speaker.stream(source(pcm))


def texts(events: Iterable[gateway_pb2.JournalEvent], kind: str) -> dict[int, str]:
    """Segment number -> text of the transcripts ("transcript") or translations ("translation")."""
    if kind == "transcript":
        return {
            event.transcript.segment_id: event.transcript.stable_text
            for event in events
            if event.HasField("transcript")
        }
    return {
        event.translation.segment_id: event.translation.text
        for event in events
        if event.HasField("translation")
    }
