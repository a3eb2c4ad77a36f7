"""Audio from files and URLs, as the chunks that a speaker sends.

Whatever comes is decoded by PyAV (FFmpeg), mixed down to mono and resampled to 16 kHz, a chunk at a
time: a file is never in memory as a whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from cli.client import Chunk
from cli.resampling import Resampler
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ
from services.errors import InvalidInput, Unavailable

CHUNK_MS = 100
_CHUNK_BYTES = SAMPLE_RATE_HERTZ * CHUNK_MS // 1000 * BYTES_PER_SAMPLE
_URL_TIMEOUT_S = 10.0
# A container often says a little more than there is; only a real cut is worth a warning.
_SHORTFALL_S = 0.25
_WAV_SIZE_UNKNOWN = 0xFFFFFFFF  # written by programs that could not seek back

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

    def __init__(self, source: str, warn: Warn = lambda line: None) -> None:
        """
        Raises:
            InvalidInput: FILE_NOT_FOUND, NOT_A_FILE, EMPTY_FILE, NOT_AUDIO or NO_AUDIO_STREAM.
            Unavailable: URL_UNREACHABLE.
        """
        import av

        self._source = source
        self._warn = warn
        self._decoded_samples = 0
        remote = is_url(source)
        if not remote:
            _check_file(Path(source))
        options = {"rtsp_transport": "tcp"} if source.lower().startswith("rtsp") else {}
        timeout = _URL_TIMEOUT_S if remote else None
        try:
            self._container = av.open(
                source, options=options, timeout=timeout, metadata_errors="replace"
            )
        except (OSError, av.FFmpegError) as error:
            if remote and not isinstance(error, av.InvalidDataError):
                raise Unavailable(
                    "URL_UNREACHABLE", f"cannot open {source}: {_told(error)}"
                ) from error
            raise InvalidInput(
                "NOT_AUDIO",
                f"{source} is not audio that can be read: {_told(error)}; "
                "wav, flac, mp3, ogg, m4a and mp4 are",
            ) from error
        if not self._container.streams.audio or not self._container.streams.audio[0].rate:
            self._container.close()
            raise InvalidInput("NO_AUDIO_STREAM", f"{source} holds no audio")
        self._stream = self._container.streams.audio[0]
        # Read ahead to the first sound: a file without any is refused before a session opens.
        self._pieces = self._pcm()
        self._first_piece = next(self._pieces, b"")
        if not self._first_piece and not remote:
            self.close()
            raise InvalidInput("EMPTY_FILE", f"{source} holds no sound")

    @property
    def duration_s(self) -> float | None:
        """What the container says of its length; None for a live stream."""
        import av

        if self._container.duration is None or self._container.duration <= 0:
            return None
        return float(self._container.duration / av.time_base)

    @property
    def sample_rate_hertz(self) -> int:
        """As it was recorded, before it is resampled."""
        return int(self._stream.rate)

    def close(self) -> None:
        self._container.close()

    async def chunks(self) -> AsyncIterator[Chunk]:
        """The audio from the start, 100 ms at a time; the last chunk may be shorter."""
        blocks = self._blocks()
        first_sample = 0
        try:
            # Decoding and waiting for a network both block: not in the event loop's thread.
            while data := await asyncio.to_thread(next, blocks, b""):
                yield Chunk(first_sample, data)
                first_sample += len(data) // BYTES_PER_SAMPLE
        finally:
            self.close()

    def _blocks(self) -> Iterator[bytes]:
        pending = bytearray(self._first_piece)
        for piece in self._pieces:
            while len(pending) >= _CHUNK_BYTES:
                yield bytes(pending[:_CHUNK_BYTES])
                del pending[:_CHUNK_BYTES]
            pending += piece
        while pending:
            yield bytes(pending[:_CHUNK_BYTES])
            del pending[:_CHUNK_BYTES]

    def _pcm(self) -> Iterator[bytes]:
        """Decoded audio, mono s16 at 16 kHz. Broken frames are left out, a broken end ends it."""
        import av

        converter: _Converter | None = None
        layout: tuple[object, ...] = ()
        bad_packets = 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    break
                frames = packet.decode()
            except (av.InvalidDataError, av.EOFError):
                bad_packets += 1
                if packet is None or bad_packets > 1000:
                    break
                continue
            except (OSError, av.FFmpegError) as error:
                self._warn(f"{self._source} broke off: {_told(error)}")
                break
            for frame in frames:
                frame.pts = None
                now = (frame.format.name, frame.layout.name, frame.sample_rate)
                if converter is None or now != layout:
                    layout = now
                    if converter is not None:
                        yield from self._counted(converter.finish())
                    converter = _Converter(frame.sample_rate)
                yield from self._counted(converter.accept(frame))
        if converter is not None:
            yield from self._counted(converter.finish())
        self._warn_if_cut(bad_packets)

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for data in pieces:
            self._decoded_samples += len(data) // BYTES_PER_SAMPLE
            yield data

    def _warn_if_cut(self, bad_packets: int) -> None:
        decoded_s = self._decoded_samples / SAMPLE_RATE_HERTZ
        promised_s = self.duration_s or 0.0
        if promised_s - decoded_s > _SHORTFALL_S:
            self._warn(
                f"{self._source} ends early: {decoded_s:.1f} s of {promised_s:.1f} s could be read"
            )
        elif not is_url(self._source) and (lacking_bytes := _wav_lacks_bytes(Path(self._source))):
            self._warn(
                f"{self._source} ends early: {lacking_bytes} bytes of its samples are not there; "
                f"{decoded_s:.1f} s could be read"
            )
        elif bad_packets:
            self._warn(
                f"{self._source} is damaged: {bad_packets} piece(s) could not be read; "
                f"{decoded_s:.1f} s could"
            )


class _Converter:
    """Frames of one layout as mono 16-bit samples at 16 kHz; those that are so come bit for bit."""

    def __init__(self, rate_hertz: int) -> None:
        import av

        self._resampler = None if rate_hertz == SAMPLE_RATE_HERTZ else Resampler(rate_hertz)
        # FFmpeg mixes down, which it does without overflow for integers only; the rate is soxr's.
        self._mixer = av.AudioResampler("s16", "mono", rate_hertz)

    def accept(self, frame: object) -> Iterator[bytes]:
        for mixed in self._mixer.resample(frame):
            samples = mixed.to_ndarray().reshape(-1)
            if self._resampler is not None:
                data = self._resampler.accept(samples)
            else:
                data = samples.astype("<i2", copy=False).tobytes()
            if data:
                yield data

    def finish(self) -> Iterator[bytes]:
        yield from self.accept(None)
        if self._resampler is not None and (data := self._resampler.finish()):
            yield data


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


def _wav_lacks_bytes(path: Path) -> int:
    """How much shorter a WAV file is than its header says: FFmpeg says nothing of it."""
    with path.open("rb") as file:
        header = file.read(12)
        if header[:4] != b"RIFF" or header[8:] != b"WAVE":
            return 0
        while len(chunk_header := file.read(8)) == 8:
            size_bytes = int.from_bytes(chunk_header[4:], "little")
            if chunk_header[:4] == b"data":
                if size_bytes in (0, _WAV_SIZE_UNKNOWN):
                    return 0
                return max(0, size_bytes - (path.stat().st_size - file.tell()))
            file.seek(size_bytes + size_bytes % 2, 1)
    return 0


def _told(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
