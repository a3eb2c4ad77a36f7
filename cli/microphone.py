"""A microphone that may be unplugged: its absence is a gap, and it is opened again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np

from cli.client import Chunk
from cli.media import CHUNK_MS
from cli.resampling import Resampler
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ
from services.errors import InvalidInput, Unavailable

_WAITING_LIMIT_S = 30.0  # audio that waits while nobody takes it; the oldest goes first
_STALL_LIMIT_S = 2.0  # a device that gives nothing for so long is gone
_FIRST_AUDIO_LIMIT_S = 10.0  # sound servers take their time over the first block
_REOPEN_INTERVAL_S = 1.0
_CHUNK_BYTES = SAMPLE_RATE_HERTZ * CHUNK_MS // 1000 * BYTES_PER_SAMPLE


class Microphone:
    """An input device. Audio that is not taken in time, or never came, is a gap in the samples."""

    def __init__(self, device: str = "", say: Callable[[str], None] = lambda line: None) -> None:
        """
        Args:
            device: part of its name, or its number; empty for the system's default.
            say: gets a line for people when it goes and comes.

        Raises:
            InvalidInput: UNKNOWN_MICROPHONE.
            Unavailable: MICROPHONE_UNAVAILABLE.
        """
        self._sounddevice = _sounddevice()
        self._device = device
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()
        self._stopped = False
        self._waiting: deque[Chunk] = deque(maxlen=int(_WAITING_LIMIT_S * 1000 / CHUNK_MS))
        self._lock = threading.Lock()
        self._recording: _Recording | None = _Recording(
            self._sounddevice, _found(self._sounddevice, device), 0, self._take
        )

    def stop(self) -> None:
        """Ends `chunks` after what has been recorded."""
        self._stopped = True
        self._came.set()

    async def chunks(self) -> AsyncIterator[Chunk]:
        """What is recorded from now on, until `stop`."""
        try:
            while True:
                with self._lock:
                    chunk = self._waiting.popleft() if self._waiting else None
                if chunk is not None:
                    yield chunk
                    continue
                if self._stopped:
                    return
                self._came.clear()
                try:
                    async with asyncio.timeout(_STALL_LIMIT_S / 2):
                        await self._came.wait()
                except TimeoutError:
                    recording = self._recording
                    if recording is not None and recording.is_gone():
                        self._recording = None
                        await self._reopen(recording)
        finally:
            if self._recording is not None:
                await asyncio.to_thread(self._recording.close)

    async def _reopen(self, gone: _Recording) -> None:
        """Waits for the device, or another default one, to be there again, or for `stop`."""
        self._say("the microphone is gone; waiting for it")
        await asyncio.to_thread(gone.close)
        lost_from_s = gone.last_audio_s
        while not self._stopped:
            try:
                self._recording = await asyncio.to_thread(self._open_again, gone)
            except (Unavailable, InvalidInput):
                self._came.clear()
                try:
                    async with asyncio.timeout(_REOPEN_INTERVAL_S):
                        await self._came.wait()
                except TimeoutError:
                    continue
            else:
                self._say(f"the microphone is back after {time.monotonic() - lost_from_s:.1f} s")
                return

    def _open_again(self, gone: _Recording) -> _Recording:
        # PortAudio lists the devices once, when it starts.
        self._sounddevice._terminate()
        self._sounddevice._initialize()
        device = _found(self._sounddevice, self._device)
        lost_s = time.monotonic() - gone.last_audio_s
        first_sample = gone.next_sample + int(lost_s * SAMPLE_RATE_HERTZ)
        return _Recording(self._sounddevice, device, first_sample, self._take)

    def _take(self, chunk: Chunk) -> None:
        """Called in PortAudio's thread."""
        with self._lock:
            self._waiting.append(chunk)
        self._loop.call_soon_threadsafe(self._came.set)


class _Recording:
    """One opened device, from its opening to its end."""

    def __init__(
        self,
        sounddevice: Any,
        device: dict[str, Any],
        first_sample: int,
        take: Callable[[Chunk], None],
    ) -> None:
        rate_hertz = int(device["default_samplerate"])
        self.next_sample = first_sample
        self.last_audio_s = time.monotonic()
        self._has_begun = False
        self._is_over = False
        self._take = take
        self._resampler = None if rate_hertz == SAMPLE_RATE_HERTZ else Resampler(rate_hertz)
        self._pending = bytearray()
        try:
            self._stream = sounddevice.RawInputStream(
                device=device["index"],
                samplerate=rate_hertz,
                channels=1,
                dtype="int16",
                blocksize=rate_hertz * CHUNK_MS // 1000,
                callback=self._hear,
                finished_callback=self._end,
            )
            self._stream.start()
        except sounddevice.PortAudioError as error:
            raise Unavailable(
                "MICROPHONE_UNAVAILABLE", f"{device['name']} cannot be opened: {error}"
            ) from error

    def is_gone(self) -> bool:
        limit_s = _STALL_LIMIT_S if self._has_begun else _FIRST_AUDIO_LIMIT_S
        return self._is_over or time.monotonic() - self.last_audio_s > limit_s

    def close(self) -> None:
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def _hear(self, data: bytes, frame_count: int, times: object, status: object) -> None:
        """Called in PortAudio's thread."""
        self.last_audio_s = time.monotonic()
        self._has_begun = True
        heard = bytes(data)
        if self._resampler is not None:
            heard = self._resampler.accept(np.frombuffer(heard, dtype="<i2"))
        self._pending += heard
        while len(self._pending) >= _CHUNK_BYTES:
            self._take(Chunk(self.next_sample, bytes(self._pending[:_CHUNK_BYTES])))
            del self._pending[:_CHUNK_BYTES]
            self.next_sample += _CHUNK_BYTES // BYTES_PER_SAMPLE

    def _end(self) -> None:
        self._is_over = True


def input_devices() -> list[dict[str, Any]]:
    """PortAudio's input devices: index, name, default_samplerate. Raises Unavailable."""
    return [
        dict(device)
        for device in _sounddevice().query_devices()
        if device["max_input_channels"] > 0
    ]


def _sounddevice() -> Any:
    try:
        import sounddevice
    except OSError as error:
        raise Unavailable(
            "MICROPHONE_UNAVAILABLE",
            "PortAudio is not installed (on Debian: apt-get install libportaudio2)",
        ) from error
    return sounddevice


def _found(sounddevice: Any, device: str) -> dict[str, Any]:
    """The default device, or the one with this number, or the first whose name holds this text."""
    devices = [dict(found) for found in sounddevice.query_devices()]
    inputs = [found for found in devices if found["max_input_channels"] > 0]
    if not inputs:
        raise Unavailable("MICROPHONE_UNAVAILABLE", "there is no input device; plug one in")
    if not device:
        default = sounddevice.default.device[0]
        return next((found for found in inputs if found["index"] == default), inputs[0])
    for found in inputs:
        if device == str(found["index"]) or device.lower() in str(found["name"]).lower():
            return found
    names = "; ".join(f"{found['index']} {found['name']}" for found in inputs)
    raise InvalidInput("UNKNOWN_MICROPHONE", f"no microphone {device!r}; there are: {names}")
