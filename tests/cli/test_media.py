"""Any audio file comes out as mono 16 kHz chunks; what is no audio is refused with a reason."""

from __future__ import annotations

import asyncio
import functools
import http.server
import re
import threading
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from cli.media import AudioFile, level_dbfs
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ
from services.errors import InvalidInput, Unavailable

DURATION_S = 3.3
TONE_HERTZ = 440.0


def encoded(path: Path, codec: str, rate_hertz: int, layout: str) -> Path:
    """A tone of DURATION_S, encoded by PyAV."""
    channel_count = {"mono": 1, "stereo": 2}[layout]
    times_s = np.arange(int(DURATION_S * rate_hertz)) / rate_hertz
    tone = (np.sin(2 * np.pi * TONE_HERTZ * times_s) * 12_000).astype(np.int16)
    if codec == "vorbis":  # FFmpeg reads it, and writes it only with a library that PyAV lacks
        soundfile.write(path, np.repeat(tone[:, np.newaxis], channel_count, axis=1), rate_hertz)
        return path
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hertz, layout=layout)
        frame = av.AudioFrame.from_ndarray(
            np.repeat(tone, channel_count)[np.newaxis, :], format="s16", layout=layout
        )
        frame.sample_rate = rate_hertz
        frame.time_base = Fraction(1, rate_hertz)
        frame.pts = 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return path


async def decoded(path: Path, warnings: list[str] | None = None) -> bytes:
    audio = AudioFile(str(path), (warnings if warnings is not None else []).append)
    data = b""
    async for chunk in audio.chunks():
        assert chunk.first_sample == len(data) // BYTES_PER_SAMPLE
        assert 0 < len(chunk.data) <= 3200
        data += chunk.data
    return data


def main_frequency_hertz(data: bytes) -> float:
    samples = np.frombuffer(data, dtype="<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum) * SAMPLE_RATE_HERTZ / len(samples))


@pytest.mark.parametrize(
    ("name", "codec", "rate_hertz", "layout"),
    [
        ("a.wav", "pcm_s16le", 16_000, "mono"),
        ("b.wav", "pcm_s16le", 44_100, "stereo"),
        ("c.wav", "pcm_f32le", 8_000, "mono"),
        ("d.flac", "flac", 48_000, "stereo"),
        ("e.mp3", "libmp3lame", 44_100, "stereo"),
        ("f.ogg", "vorbis", 44_100, "stereo"),
        ("g.ogg", "libopus", 48_000, "mono"),
        ("h.m4a", "aac", 44_100, "stereo"),
        ("i.mp4", "aac", 22_050, "mono"),
    ],
)
async def test_every_format_becomes_mono_at_16_khz(
    tmp_path: Path, name: str, codec: str, rate_hertz: int, layout: str
) -> None:
    warnings: list[str] = []
    data = await decoded(encoded(tmp_path / name, codec, rate_hertz, layout), warnings)
    assert len(data) / BYTES_PER_SAMPLE / SAMPLE_RATE_HERTZ == pytest.approx(DURATION_S, abs=0.12)
    assert main_frequency_hertz(data) == pytest.approx(TONE_HERTZ, abs=2)
    assert -13 < level_dbfs(data) < -9
    assert warnings == []


async def test_a_wav_at_16_khz_comes_through_bit_for_bit(tmp_path: Path) -> None:
    path = encoded(tmp_path / "a.wav", "pcm_s16le", 16_000, "mono")
    with wave.open(str(path)) as audio:
        assert await decoded(path) == audio.readframes(audio.getnframes())


def reason_of(path: Path | str) -> str:
    with pytest.raises((InvalidInput, Unavailable)) as raised:
        AudioFile(str(path))
    return raised.value.reason


def test_files_that_hold_no_audio_are_refused_with_a_reason(tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    empty.touch()
    text = tmp_path / "text.wav"
    text.write_text("In the beginning was the Word, and the Word was with God.\n" * 50)
    short_text = tmp_path / "short.mp3"
    short_text.write_text("hello\n")
    picture = tmp_path / "picture.mp4"
    with av.open(str(picture), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height = 32, 32
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    silent = tmp_path / "no_samples.wav"
    with wave.open(str(silent), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(16_000)

    assert reason_of(tmp_path / "absent.wav") == "FILE_NOT_FOUND"
    assert reason_of(tmp_path) == "NOT_A_FILE"
    assert reason_of(empty) == "EMPTY_FILE"
    assert reason_of(text) == "NOT_AUDIO"
    assert reason_of(short_text) == "NOT_AUDIO"
    assert reason_of(picture) == "NO_AUDIO_STREAM"
    assert reason_of(silent) == "EMPTY_FILE"


async def test_a_file_behind_an_url_plays_like_one_on_disk(tmp_path: Path) -> None:
    path = encoded(tmp_path / "sermon.mp3", "libmp3lame", 44_100, "stereo")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_address[1]}/{path.name}"
            audio = await asyncio.to_thread(AudioFile, url)
            streamed = b"".join([chunk.data async for chunk in audio.chunks()])
        finally:
            server.shutdown()
            thread.join()
    assert streamed == await decoded(path)


def test_an_url_that_nobody_serves_is_told(unused_tcp_port: int) -> None:
    assert reason_of(f"http://127.0.0.1:{unused_tcp_port}/sermon.mp3") == "URL_UNREACHABLE"


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.wav", "pcm_s16le"), ("b.flac", "flac"), ("c.mp3", "libmp3lame")],
)
async def test_a_file_that_ends_mid_frame_plays_up_to_there_with_a_warning(
    tmp_path: Path, name: str, codec: str
) -> None:
    whole = encoded(tmp_path / name, codec, 16_000, "mono").read_bytes()
    cut = tmp_path / f"cut-{name}"
    cut.write_bytes(whole[: len(whole) * 6 // 10 | 1])
    warnings: list[str] = []
    data = await decoded(cut, warnings)
    assert 0.3 * DURATION_S < len(data) / BYTES_PER_SAMPLE / SAMPLE_RATE_HERTZ < 0.8 * DURATION_S
    assert len(warnings) == 1
    assert "ends early" in warnings[0] or "damaged" in warnings[0]


def written_bytes(pid: int) -> int:
    counts = Path(f"/proc/{pid}/io").read_text()
    return int(re.search(r"^wchar: (\d+)", counts, re.MULTILINE)[1])  # type: ignore[index]


async def test_a_long_file_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    """Taking the first second of an hour decodes about a second, not an hour."""
    path = tmp_path / "hour.wav"
    with wave.open(str(path), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(16_000)
        for _ in range(60):
            audio.writeframes(bytes(16_000 * 2 * 60))
    audio_file = AudioFile(str(path))
    chunks = audio_file.chunks()
    async with asyncio.timeout(5):
        for _ in range(10):
            await anext(chunks)
    assert written_bytes(audio_file.decoding_pid) < 10 * SAMPLE_RATE_HERTZ * BYTES_PER_SAMPLE
    await chunks.aclose()  # type: ignore[attr-defined]


def test_level_is_measured_against_full_scale() -> None:
    full = np.full(1600, -32768, dtype="<i2").tobytes()
    assert level_dbfs(full) == pytest.approx(0.0)
    assert level_dbfs(bytes(3200)) == -90.0
