"""A real gateway process with its three peers as processes that can be killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import grpc
import pytest
import pytest_asyncio

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from glossa.types.v1 import types_pb2
from services.audio import PCM_S16LE, SAMPLE_RATE_HERTZ
from services.channels import open_channel
from services.settings import port
from tests.processes import REPOSITORY, ServiceProcess, free_port_base
from tests.speech import Pcm, chunks

FORMAT = types_pb2.AudioFormat(
    encoding=PCM_S16LE, sample_rate_hertz=SAMPLE_RATE_HERTZ, channel_count=1
)


class Peer:
    """One of tests.gateway.peers as a process."""

    def __init__(self, role: str, base: int) -> None:
        self.address = f"127.0.0.1:{port(role, base)}"
        self._command = [sys.executable, "-m", "tests.gateway.peers", role, str(port(role, base))]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, cwd=REPOSITORY)

    async def wait_ready(self) -> None:
        async with grpc.aio.insecure_channel(self.address) as channel:
            async with asyncio.timeout(20):
                await channel.channel_ready()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Stack:
    """The gateway under test, its peers, and stubs to talk to it."""

    def __init__(self, folder: Path, *, compared: bool = False, **settings: object) -> None:
        self.base = base = free_port_base()
        self.folder = folder
        roles = ("stt", "mt", "qe", "mt_alternative") if compared else ("stt", "mt", "qe")
        self.peers = {role: Peer(role, base) for role in roles}
        self.gateway = ServiceProcess(
            "gateway",
            base,
            folder,
            **{
                "state_dir": folder,
                **{f"{role}_address": f"127.0.0.1:{port(role, base)}" for role in self.peers},
                **settings,
            },
        )
        self.channel: grpc.aio.Channel

    async def start(self) -> None:
        for peer in self.peers.values():
            peer.start()
        self.gateway.start()
        await asyncio.gather(
            self.gateway.wait_ready(), *(peer.wait_ready() for peer in self.peers.values())
        )
        self.channel = open_channel(self.gateway.address)
        self.calls = gateway_pb2_grpc.GatewayServiceStub(self.channel)
        self.journal = gateway_pb2_grpc.JournalServiceStub(self.channel)

    async def stop(self) -> None:
        await self.channel.close()
        self.gateway.kill()
        for peer in self.peers.values():
            peer.kill()

    async def metric(self, name: str) -> float:
        """The value of one line of the gateway's /metrics, by its name with labels."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://{self.gateway.http_address}/metrics") as answer,
        ):
            lines = (await answer.text()).splitlines()
        (value,) = (line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} "))
        return float(value)

    async def speak(self, pcm: Pcm, **config: object) -> str:
        """A whole session as fast as it is taken; returns its id."""
        call = self.calls.StreamAudio(timeout=60)
        try:
            session_id = (await open_stream(call, **config)).session_id
            for first_sample, data in chunks(pcm):
                await call.write(audio(first_sample, data))
            await call.done_writing()
            assert (await drained(call))[-1].HasField("session_closed")
            return session_id
        finally:
            call.cancel()

    async def events(self, session_id: str = "", after: int = 0) -> list[gateway_pb2.JournalEvent]:
        """What the journal holds now."""
        call = self.journal.Follow(
            gateway_pb2.FollowRequest(session_id=session_id, after_sequence=after, until_now=True),
            timeout=20,
        )
        return [response.event async for response in call if response.HasField("event")]

    async def scored_events(self, session_id: str, count: int) -> list[gateway_pb2.JournalEvent]:
        """The session's events once `count` pairs are scored."""
        call = self.journal.Follow(gateway_pb2.FollowRequest(session_id=session_id), timeout=30)
        events = []
        try:
            async for response in call:
                if response.HasField("event"):
                    events.append(response.event)
                    kinds = [event.WhichOneof("event") for event in events]
                    if kinds.count("pair_scored") == count and "session_ended" in kinds:
                        return events
        finally:
            call.cancel()
        raise AssertionError("the stream ended")


class Talk:
    """A session into which a test speaks piece by piece."""

    def __init__(self, stack: Stack, call: grpc.aio.StreamStreamCall, session_id: str) -> None:
        self.stack = stack
        self.session_id = session_id
        self.call = call
        self.position = 0
        self.safe_sample = 0

    @classmethod
    async def begun(cls, stack: Stack, **config: object) -> Talk:
        call = stack.calls.StreamAudio(timeout=60)
        return cls(stack, call, (await open_stream(call, **config)).session_id)

    async def say(self, pcm: Pcm) -> None:
        """Returns once the gateway has it."""
        for first_sample, data in chunks(pcm):
            await self.call.write(audio(self.position + first_sample, data))
        self.position += len(pcm)
        await self._receipt(lambda receipt: receipt.received_sample >= self.position)

    async def safe(self, sample: int) -> None:
        """Waits until the speaker may let go of everything below a sample."""
        while self.safe_sample < sample:
            await self._receipt(lambda receipt: receipt.safe_sample >= sample)

    async def resume(self) -> int:
        """Connects again; returns the sample from which the gateway wants audio."""
        self.call.cancel()
        self.call = self.stack.calls.StreamAudio(timeout=60)
        self.position = (await open_stream(self.call, session_id=self.session_id)).next_sample
        return self.position

    async def end(self) -> list[gateway_pb2.JournalEvent]:
        """Half-closes; returns the session's events."""
        await self.call.done_writing()
        assert (await drained(self.call))[-1].HasField("session_closed")
        return await self.stack.events(self.session_id)

    async def hold(self, is_held: bool = True) -> int:
        request = gateway_pb2.HoldSessionRequest(
            session_id=self.session_id, is_held=is_held, author="operator"
        )
        return (await self.stack.calls.HoldSession(request, timeout=10)).sequence

    async def reset(self) -> int:
        request = gateway_pb2.ResetSessionRequest(session_id=self.session_id, author="operator")
        return (await self.stack.calls.ResetSession(request, timeout=10)).sequence

    async def finals(self, count: int) -> list[gateway_pb2.JournalEvent]:
        """The session's events once it has so many finals."""
        return await self.until(
            lambda events: sum(event.HasField("transcript") for event in events) >= count
        )

    async def until(
        self, is_there: Callable[[list[gateway_pb2.JournalEvent]], bool]
    ) -> list[gateway_pb2.JournalEvent]:
        """The session's events once they are as wanted."""
        call = self.stack.journal.Follow(
            gateway_pb2.FollowRequest(session_id=self.session_id), timeout=20
        )
        events: list[gateway_pb2.JournalEvent] = []
        try:
            while not is_there(events):
                response = await call.read()
                if response.HasField("event"):
                    events.append(response.event)
        finally:
            call.cancel()
        return events

    async def _receipt(self, is_wanted: Callable[[gateway_pb2.AudioReceipt], bool]) -> None:
        while True:
            answer = await self.call.read()
            assert answer is not grpc.aio.EOF
            if answer.HasField("receipt"):
                self.safe_sample = answer.receipt.safe_sample
                if is_wanted(answer.receipt):
                    return


async def drained(call: grpc.aio.StreamStreamCall | grpc.aio.UnaryStreamCall) -> list:
    """Every answer until the stream ends; raises its error."""
    answers = []
    while (answer := await call.read()) is not grpc.aio.EOF:
        answers.append(answer)
    return answers


async def received(call: grpc.aio.StreamStreamCall, end_sample: int) -> None:
    """Waits until the gateway has everything below a sample."""
    while (answer := await call.read()).receipt.received_sample < end_sample:
        assert answer is not grpc.aio.EOF


async def open_stream(
    call: grpc.aio.StreamStreamCall, **config: object
) -> gateway_pb2.SessionOpened:
    settings = {
        "format": FORMAT,
        "source_language": "en",
        "target_languages": ["es"],
        **config,
    }
    await call.write(gateway_pb2.StreamAudioRequest(config=gateway_pb2.SessionConfig(**settings)))
    answer = await call.read()
    assert answer is not grpc.aio.EOF, (await call.code(), await call.details())
    return answer.session_opened


def audio(first_sample: int, data: bytes) -> gateway_pb2.StreamAudioRequest:
    return gateway_pb2.StreamAudioRequest(
        audio=types_pb2.AudioChunk(first_sample=first_sample, data=data)
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack for a module's tests: each has its own sessions in it."""
    stack = Stack(tmp_path_factory.mktemp("gateway"))
    await stack.start()
    yield stack
    await stack.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def own_stack(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Stack]]]:
    """Starts a stack for this test alone, with settings of the gateway."""
    stacks = []

    async def start(**settings: object) -> Stack:
        stacks.append(Stack(tmp_path, **settings))
        await stacks[-1].start()
        return stacks[-1]

    yield start
    for stack in stacks:
        await stack.stop()
