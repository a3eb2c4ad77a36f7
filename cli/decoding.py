"""Decodes one recording in a process of its own: `python -m cli.decoding SOURCE LIMIT_S [remote]`.

A recording is what somebody sent. The libraries that read it are large and written in C, and a
small file can say that it holds years: so this process may use little memory and time, opens no
other files, and says only this. On stdout a line of JSON, either `{"duration_s", "rate_hertz"}` or
`{"error"}`, and after the former mono 16-bit samples at 16 kHz; on stderr, once it is over, a line
of JSON for each `{"warning"}` and for the `{"error"}` that ended it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av

from cli.resampling import Resampler
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ
from services.errors import GlossaError, InvalidInput, Unavailable

MEMORY_LIMIT_BYTES = 768 * 1024 * 1024  # beside what the libraries take as they are loaded
CPU_LIMIT_S = 1800
_WRITTEN_LIMIT_BYTES = 1024 * 1024  # of files; there is none but what stderr is
_FILES_LIMIT = 64
_RATES_HERTZ = range(1_000, 768_001)  # slower ones grow beyond measure on their way to 16 kHz

_URL_TIMEOUT_S = 10.0
_LOCAL_PROTOCOLS = "file"
_REMOTE_PROTOCOLS = "http,https,rtsp,rtsps,rtmp,srt,udp,rtp,tcp,tls,crypto,data"
_BAD_PACKETS_LIMIT = 1000
# A container often says a little more than there is; only a real cut is worth a warning.
_SHORTFALL_S = 0.25
_WAV_SIZE_UNKNOWN = 0xFFFFFFFF  # written by programs that could not seek back


def limit_this_process() -> None:
    """Memory, time and files, where the system can limit them."""
    if importlib.util.find_spec("resource") is None:  # Windows
        return
    import resource

    for kind, limit in (
        (resource.RLIMIT_AS, _taken_bytes() + MEMORY_LIMIT_BYTES),
        (resource.RLIMIT_CPU, CPU_LIMIT_S),
        (resource.RLIMIT_FSIZE, _WRITTEN_LIMIT_BYTES),
        (resource.RLIMIT_NOFILE, _FILES_LIMIT),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        within = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        try:
            resource.setrlimit(kind, (within, within))
        except (ValueError, OSError):  # macOS knows RLIMIT_AS and sets none
            sys.stderr.write(f"{kind} is not limited here\n")


def _taken_bytes() -> int:
    """Address space in use; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


class Decoder:
    """An opened recording. Opening it is the check that there is audio in it.

    Args:
        is_remote: `source` is a URL.
        limit_s: of audio; more is refused.
    """

    def __init__(self, source: str, limit_s: float, *, is_remote: bool) -> None:
        """Raises InvalidInput NOT_AUDIO, NO_AUDIO_STREAM, AUDIO_TOO_LONG; Unavailable."""
        self.warnings: list[str] = []
        self._source = source
        self._limit_samples = int(limit_s * SAMPLE_RATE_HERTZ)
        self._is_remote = is_remote
        self._decoded_samples = 0
        self._container = _opened(source, is_remote=is_remote)
        streams = self._container.streams.audio
        if streams and streams[0].codec_context is None:
            raise InvalidInput(
                "NOT_AUDIO", f"{source} is coded in a way that nothing here can read"
            )
        if not streams or not streams[0].rate:
            raise InvalidInput("NO_AUDIO_STREAM", f"{source} holds no audio")
        self._stream = streams[0]
        _check_rate(source, self.rate_hertz)
        if (self.duration_s or 0) > limit_s:
            raise self._too_long()

    @property
    def duration_s(self) -> float | None:
        """What the container says of its length; None for a live stream."""
        if self._container.duration is None or self._container.duration <= 0:
            return None
        return float(self._container.duration / av.time_base)

    @property
    def rate_hertz(self) -> int:
        """As it was recorded, before it is resampled."""
        return int(self._stream.rate)

    def pcm(self) -> Iterator[bytes]:
        """Decoded audio, mono s16 at 16 kHz. Broken frames are left out, a broken end ends it.

        Raises:
            InvalidInput: AUDIO_TOO_LONG, NOT_AUDIO.
        """
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
                if packet is None or bad_packets > _BAD_PACKETS_LIMIT:
                    break
                continue
            except (OSError, av.FFmpegError) as error:
                self.warnings.append(f"{self._source} broke off: {_told(error)}")
                break
            for frame in frames:
                frame.pts = None
                now = (frame.format.name, frame.layout.name, frame.sample_rate)
                if converter is None or now != layout:
                    layout = now
                    if converter is not None:
                        yield from self._counted(converter.finish())
                    _check_rate(self._source, frame.sample_rate)
                    converter = _Converter(frame.sample_rate)
                yield from self._counted(converter.accept(frame))
        if converter is not None:
            yield from self._counted(converter.finish())
        self._warn_if_cut(bad_packets)

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for data in pieces:
            self._decoded_samples += len(data) // BYTES_PER_SAMPLE
            if self._decoded_samples > self._limit_samples:
                raise self._too_long()
            yield data

    def _too_long(self) -> InvalidInput:
        return InvalidInput(
            "AUDIO_TOO_LONG",
            f"{self._source} holds more than {self._limit_samples / SAMPLE_RATE_HERTZ / 3600:g} h "
            "of audio, which is the limit; cut it",
        )

    def _warn_if_cut(self, bad_packets: int) -> None:
        decoded_s = self._decoded_samples / SAMPLE_RATE_HERTZ
        promised_s = self.duration_s or 0.0
        if promised_s - decoded_s > _SHORTFALL_S:
            self.warnings.append(
                f"{self._source} ends early: {decoded_s:.1f} s of {promised_s:.1f} s could be read"
            )
        elif not self._is_remote and (lacking_bytes := _wav_lacks_bytes(Path(self._source))):
            self.warnings.append(
                f"{self._source} ends early: {lacking_bytes} bytes of its samples are not there; "
                f"{decoded_s:.1f} s could be read"
            )
        elif bad_packets:
            self.warnings.append(
                f"{self._source} is damaged: {bad_packets} piece(s) could not be read; "
                f"{decoded_s:.1f} s could"
            )


class _Converter:
    """Frames of one layout as mono 16-bit samples at 16 kHz; those that are so come bit for bit."""

    def __init__(self, rate_hertz: int) -> None:
        self._resampler = None if rate_hertz == SAMPLE_RATE_HERTZ else Resampler(rate_hertz)
        # FFmpeg mixes down, which it does without overflow for integers only; the rate is soxr's.
        self._mixer = av.AudioResampler("s16", "mono", rate_hertz)

    def accept(self, frame: Any) -> Iterator[bytes]:
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


def _opened(source: str, *, is_remote: bool) -> Any:
    # A playlist may name what else is to be opened: nothing on this machine, when it is a URL's,
    # and no URL, when it is a file's.
    options = {"protocol_whitelist": _REMOTE_PROTOCOLS if is_remote else _LOCAL_PROTOCOLS}
    if source.lower().startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    timeout_s = _URL_TIMEOUT_S if is_remote else None
    try:
        return av.open(source, options=options, timeout=timeout_s, metadata_errors="replace")
    except (OSError, av.FFmpegError) as error:
        if is_remote and not isinstance(error, av.InvalidDataError):
            raise Unavailable("URL_UNREACHABLE", f"cannot open {source}: {_told(error)}") from error
        raise InvalidInput(
            "NOT_AUDIO",
            f"{source} is not audio that can be read: {_told(error)}; "
            "wav, flac, mp3, ogg, m4a and mp4 are",
        ) from error


def _check_rate(source: str, rate_hertz: int) -> None:
    if rate_hertz not in _RATES_HERTZ:
        raise InvalidInput(
            "NOT_AUDIO", f"{source} says that it has {rate_hertz} samples a second: no audio has"
        )


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


def _error(error: GlossaError) -> str:
    return json.dumps({"error": {"reason": error.reason, "message": error.message}}) + "\n"


def main(source: str, limit_s: float, *, is_remote: bool) -> None:
    """Writes what the module says."""
    limit_this_process()
    try:
        decoder = Decoder(source, limit_s, is_remote=is_remote)
        pieces = decoder.pcm()
        # Read ahead to the first sound: a file without any is refused before a session opens.
        first_piece = next(pieces, b"")
        if not first_piece and not is_remote:
            raise InvalidInput("EMPTY_FILE", f"{source} holds no sound")
    except GlossaError as error:
        sys.stdout.write(_error(error))
        return
    told = {"duration_s": decoder.duration_s, "rate_hertz": decoder.rate_hertz}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    output = sys.stdout.buffer
    try:
        output.write(first_piece)
        for piece in pieces:
            output.write(piece)
        output.flush()
    except GlossaError as error:
        output.flush()
        sys.stderr.write(_error(error))
    for warning in decoder.warnings:
        sys.stderr.write(json.dumps({"warning": warning}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), is_remote=sys.argv[3:] == ["remote"])
