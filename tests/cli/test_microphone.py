"""A real PortAudio device: PulseAudio's, in a room of the test's own, that can be pulled out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import REPOSITORY
from tests.speech import spoken

pytestmark = pytest.mark.slow

# What a user's program does; in a process of its own, for PortAudio finds its devices by HOME.
LISTENER = """
    import asyncio, sys
    from cli.media import level_dbfs
    from cli.microphone import Microphone

    async def listen():
        microphone = Microphone(say=lambda line: print("say", line, flush=True))
        asyncio.get_running_loop().add_reader(sys.stdin, microphone.stop)
        async for chunk in microphone.chunks():
            print("chunk", chunk.first_sample, len(chunk.data) // 2,
                  round(level_dbfs(chunk.data)), flush=True)

    asyncio.run(listen())
"""


class Room:
    """A sound server whose loudspeaker is its microphone."""

    def __init__(self, folder: Path) -> None:
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder / "pulse"),
            "ORT_DISABLE_TELEMETRY": "1",
        }
        (folder / ".asoundrc").write_text(
            "pcm.!default { type pulse }\nctl.!default {type pulse}\n"
        )
        self._pid_path = folder / "pulse" / "pid"
        self._server: subprocess.Popen[bytes] | None = None

    def plug_in(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._pid_path.unlink()  # of the one that was killed
        self._server = subprocess.Popen(
            [
                *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"),
                *("-L", "module-native-protocol-unix"),
                *("-L", "module-null-sink sink_name=room rate=48000"),
            ],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def pull_out(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGKILL)
            self._server.wait()
            self._server = None

    def play(self, path: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["paplay", "--device=room", str(path)], env=self.environment, stderr=subprocess.DEVNULL
        )


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    if shutil.which("pulseaudio") is None or shutil.which("paplay") is None:
        pytest.skip("PulseAudio is not installed: pulseaudio pulseaudio-utils libasound2-plugins")
    room = Room(tmp_path)
    room.plug_in()
    yield room
    room.pull_out()


class Listener:
    """The program above."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.chunks: list[tuple[int, int, int]] = []  # first sample, samples, dBFS
        self.said: list[str] = []

    @classmethod
    async def start(cls, room: Room) -> Listener:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", textwrap.dedent(LISTENER)),
            cwd=REPOSITORY,
            env=room.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return cls(process)

    async def read_until(self, wanted: str) -> None:
        """Reads lines until one begins with `wanted` or, for "loud", a chunk has speech in it."""
        async with asyncio.timeout(60):
            while True:
                assert self._process.stdout is not None
                line = (await self._process.stdout.readline()).decode().strip()
                assert line, f"the listener ended; it said {self.said}"
                if line.startswith("chunk"):
                    first, count, level = map(int, line.split()[1:])
                    self.chunks.append((first, count, level))
                    if wanted == "loud" and level > -40:
                        return
                else:
                    self.said.append(line)
                if line.startswith(wanted):
                    return

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        async with asyncio.timeout(20):
            await self._process.communicate()
        assert self._process.returncode == 0

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


async def test_what_is_played_in_the_room_is_heard_and_an_unplugged_device_comes_back(
    room: Room, tmp_path: Path
) -> None:
    path = tmp_path / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(spoken("The Lord is my shepherd, I shall not want.").tobytes())
    listener = await Listener.start(room)
    try:
        await listener.read_until("chunk")
        player = room.play(path)
        await listener.read_until("loud")
        player.wait(20)
        before = listener.chunks[-1]
        room.pull_out()
        await listener.read_until("say the microphone is gone")
        room.plug_in()
        await listener.read_until("say the microphone is back")
        await listener.read_until("chunk")
        after = listener.chunks[-1]
        await listener.stop()
    finally:
        listener.kill()
    assert all(count == 1600 for _, count, _ in listener.chunks)
    gap_samples = after[0] - (before[0] + before[1])
    # What was lost is a gap on the session's clock: at least the time until the loss was noticed.
    assert gap_samples > 16_000
    jumps = [
        later[0] - (earlier[0] + earlier[1])
        for earlier, later in zip(listener.chunks, listener.chunks[1:], strict=False)
    ]
    assert sum(jump != 0 for jump in jumps) == 1


async def test_a_room_without_a_device_is_told(tmp_path: Path) -> None:
    (tmp_path / ".asoundrc").write_text("")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", "live", "--mic", "--gateway", "127.0.0.1:1"),
        cwd=REPOSITORY,
        env={**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        _, error = await process.communicate()
    assert process.returncode == 1
    assert b"MICROPHONE_UNAVAILABLE" in error
