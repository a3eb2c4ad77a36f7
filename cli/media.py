"""Audio from files and URLs, as the chunks that a speaker sends.

Whatever comes is decoded by PyAV (FFmpeg), mixed down to mono and resampled to 16 kHz, a chunk at a
time: a file is never in memory as a whole. A process of its own does it, within limits
(cli/decoding.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import numpy as np

from cli.client import Chunk
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ
from services.errors import GlossaError, InvalidInput, Unavailable

CHUNK_MS = 100
_CHUNK_BYTES = SAMPLE_RATE_HERTZ * CHUNK_MS // 1000 * BYTES_PER_SAMPLE
AUDIO_LIMIT_S = 12 * 3600.0  # a session's greatest length, as the gateway has it unless told else
_REPOSITORY = Path(__file__).resolve().parents[1]

Warn = Callable[[str], None]


def is_url(source: str) -> bool:
    return urlsplit(source).scheme.lower() in (
        "http",
        "https",
        "rtsp",
        "rtsps",
        "rtmp",
        "srt",
        "udp",
    )


class AudioFile:
    """An opened file or URL. Opening it is the check that there is audio to send."""

    def __init__(
        self, source: str, warn: Warn = lambda line: None, limit_s: float = AUDIO_LIMIT_S
    ) -> None:
        """
        Args:
            limit_s: of audio; what is longer is refused, at the latest once so much is decoded.

        Raises:
            InvalidInput: FILE_NOT_FOUND, NOT_A_FILE, EMPTY_FILE, NOT_AUDIO, NO_AUDIO_STREAM,
                AUDIO_TOO_LONG or DECODING_FAILED.
            Unavailable: URL_UNREACHABLE.
        """
        self._source = source
        self._warn = warn
        if not is_url(source):
            _check_file(Path(source))
        # A file, not a pipe: nobody reads it until the end, and a full pipe would stop the process.
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = _decoding(source, limit_s, self._said)
        self._end = weakref.finalize(self, _end, self._process, self._said)
        opened = self._opened()
        self.duration_s: float | None = opened["duration_s"]  # as the container has it; None: live
        self.sample_rate_hertz: int = opened["rate_hertz"]  # as it was recorded

    @property
    def decoding_pid(self) -> int:
        """The process that decodes it."""
        return self._process.pid

    def close(self) -> None:
        self._end()

    async def chunks(self) -> AsyncIterator[Chunk]:
        """The audio from the start, 100 ms at a time; the last chunk may be shorter.

        Raises:
            InvalidInput: AUDIO_TOO_LONG, DECODING_FAILED.
        """
        first_sample = 0
        try:
            # Waiting for what is decoded blocks: not in the event loop's thread.
            while data := await asyncio.to_thread(self._read):
                yield Chunk(first_sample, data)
                first_sample += len(data) // BYTES_PER_SAMPLE
            await asyncio.to_thread(self._check_end)
        finally:
            self.close()

    def _read(self) -> bytes:
        return self._output.read(_CHUNK_BYTES)

    @property
    def _output(self) -> IO[bytes]:
        if self._process.stdout is None:
            raise ValueError("the process has no stdout")
        return self._process.stdout

    def _opened(self) -> dict[str, Any]:
        """What the process says of the recording; its error is raised."""
        line = self._output.readline()
        try:
            told: dict[str, Any] = json.loads(line)
        except ValueError:
            self._process.wait()
            self.close()
            raise self._failed() from None
        if "error" in told:
            self.close()
            raise _error(told["error"])
        return told

    def _check_end(self) -> None:
        """Passes the process's warnings on, and raises what ended it before the recording's end."""
        status = self._process.wait()
        self._said.seek(0)
        for line in self._said.read().decode(errors="replace").splitlines():
            try:
                told = json.loads(line)
            except ValueError:  # of a library, or a traceback
                continue
            if "warning" in told:
                self._warn(told["warning"])
            elif "error" in told:
                raise _error(told["error"])
        if status:
            raise self._failed()

    def _failed(self) -> InvalidInput:
        return InvalidInput(
            "DECODING_FAILED",
            f"{self._source} could not be decoded with the memory and the time that a recording "
            "takes; convert it to wav or flac",
            exit_status=self._process.returncode,
        )


def _decoding(source: str, limit_s: float, said: IO[bytes]) -> subprocess.Popen[bytes]:
    paths = [str(_REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "cli.decoding"),
            *(source, str(limit_s)),
            *(["remote"] if is_url(source) else []),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=said,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "OPENBLAS_NUM_THREADS": "1",  # it takes memory for each, and none is needed
        },
    )


def _end(process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    process.kill()  # whoever still waits for what it decodes is let go
    process.wait()
    if process.stdout is not None:
        with contextlib.suppress(OSError):
            process.stdout.close()
    said.close()


def _error(told: dict[str, str]) -> GlossaError:
    kind = Unavailable if told["reason"] == "URL_UNREACHABLE" else InvalidInput
    return kind(told["reason"], told["message"])


def level_dbfs(data: bytes) -> float:
    """Root mean square of a chunk against full scale, in decibels; -90 for silence."""
    samples = np.frombuffer(data, dtype="<i2").astype(np.float64) / 32768
    power = float(np.mean(samples**2)) if len(samples) else 0.0
    return max(-90.0, 10 * float(np.log10(power))) if power > 0 else -90.0


def _check_file(path: Path) -> None:
    if not path.exists():
        raise InvalidInput("FILE_NOT_FOUND", f"there is no file {path}")
    if not path.is_file():
        raise InvalidInput("NOT_A_FILE", f"{path} is not a file")
    if path.stat().st_size == 0:
        raise InvalidInput("EMPTY_FILE", f"{path} is empty")
