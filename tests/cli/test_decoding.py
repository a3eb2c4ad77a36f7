"""Recordings that hold more than they seem to: refused, within bounds, by a process of its own."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import struct
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cli.decoding import MEMORY_LIMIT_BYTES
from cli.media import AudioFile
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ
from services.errors import InvalidInput


def wav(path: Path, rate_hertz: int, sample_count: int) -> Path:
    with wave.open(str(path), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(rate_hertz)
        audio.writeframes(bytes(2 * sample_count))
    return path


def endless_flac(path: Path, duration_s: float) -> Path:
    """A recording that says nothing of its length (STREAMINFO of RFC 9639, 8.2)."""
    soundfile.write(path, np.zeros(int(duration_s * SAMPLE_RATE_HERTZ), np.int16), 16_000)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    return path


async def take(audio: AudioFile, taken: list[bytes]) -> None:
    async for chunk in audio.chunks():
        taken.append(chunk.data)


async def decoded_s(audio: AudioFile) -> float:
    taken: list[bytes] = []
    await take(audio, taken)
    return sum(map(len, taken)) / BYTES_PER_SAMPLE / SAMPLE_RATE_HERTZ


def proc(pid: int, name: str) -> Path:
    return Path(f"/proc/{pid}/{name}")


async def refusal(path: Path, limit_s: float) -> str:
    with pytest.raises(InvalidInput) as refused:
        await decoded_s(AudioFile(str(path), limit_s=limit_s))
    return refused.value.reason


async def test_a_recording_is_as_long_as_it_may_be_and_one_sample_more_is_refused(
    tmp_path: Path,
) -> None:
    whole = wav(tmp_path / "whole.wav", SAMPLE_RATE_HERTZ, 3 * SAMPLE_RATE_HERTZ)
    assert await decoded_s(AudioFile(str(whole), limit_s=3)) == 3
    longer = wav(tmp_path / "longer.wav", SAMPLE_RATE_HERTZ, 3 * SAMPLE_RATE_HERTZ + 1)
    assert await refusal(longer, limit_s=3) == "AUDIO_TOO_LONG"


async def test_a_small_file_of_half_a_day_is_refused_before_anything_is_decoded(
    tmp_path: Path,
) -> None:
    path = wav(tmp_path / "slow.wav", 1_000, 12 * 3600 * 1_000 + 1_000)
    with pytest.raises(InvalidInput) as refused:
        AudioFile(str(path))
    assert refused.value.reason == "AUDIO_TOO_LONG"


async def test_a_file_that_does_not_say_its_length_is_cut_off_at_the_limit(tmp_path: Path) -> None:
    path = endless_flac(tmp_path / "endless.flac", 120)
    assert path.stat().st_size < 60_000
    audio = AudioFile(str(path), limit_s=60)
    assert audio.duration_s is None
    taken: list[bytes] = []
    with pytest.raises(InvalidInput) as refused:
        await take(audio, taken)
    assert refused.value.reason == "AUDIO_TOO_LONG"
    assert 55 < sum(map(len, taken)) / BYTES_PER_SAMPLE / SAMPLE_RATE_HERTZ <= 60


@pytest.mark.parametrize("rate_hertz", [1, 999, 768_001, 2_000_000_000])
def test_a_rate_that_no_audio_has_is_refused(tmp_path: Path, rate_hertz: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        AudioFile(str(odd(tmp_path / "odd.wav", rate_hertz)))
    assert refused.value.reason == "NOT_AUDIO"


@pytest.mark.parametrize("rate_hertz", [1_000, 768_000])
async def test_the_slowest_and_the_fastest_rate_are_decoded(
    tmp_path: Path, rate_hertz: int
) -> None:
    found_s = await decoded_s(AudioFile(str(odd(tmp_path / "odd.wav", rate_hertz))))
    assert found_s == pytest.approx(16_000 / rate_hertz, abs=0.01)


def odd(path: Path, rate_hertz: int) -> Path:
    """A recording of 16,000 samples that says that they come so fast."""
    content = bytearray(wav(path, 16_000, 16_000).read_bytes())
    content[24:28] = struct.pack("<I", rate_hertz)
    path.write_bytes(content)
    return path


def test_a_playlist_opens_nothing_else(tmp_path: Path, unused_tcp_port: int) -> None:
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n"
        f"http://127.0.0.1:{unused_tcp_port}/secret.ts\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(InvalidInput) as refused:
        AudioFile(str(playlist))
    assert refused.value.reason in ("NOT_AUDIO", "NO_AUDIO_STREAM")


async def test_what_decodes_is_limited_and_its_end_is_told(tmp_path: Path) -> None:
    path = wav(tmp_path / "long.wav", SAMPLE_RATE_HERTZ, 600 * SAMPLE_RATE_HERTZ)
    audio = AudioFile(str(path))
    limits = proc(audio.decoding_pid, "limits").read_text()
    named = {line[:25].strip(): line[26:].split()[0] for line in limits.splitlines()}
    assert MEMORY_LIMIT_BYTES < int(named["Max address space"]) < 4 * MEMORY_LIMIT_BYTES
    assert named["Max cpu time"] == "1800"
    assert named["Max core file size"] == "0"
    chunks = audio.chunks()
    await anext(chunks)
    os.kill(audio.decoding_pid, signal.SIGKILL)  # as the kernel does it for want of memory
    with pytest.raises(InvalidInput) as failed:
        async for _ in chunks:
            pass
    assert failed.value.reason == "DECODING_FAILED"


def test_more_memory_than_that_is_not_to_be_had() -> None:
    code = (
        "from mmap import mmap; from cli.decoding import *; limit_this_process(); "
        "kept = mmap(-1, MEMORY_LIMIT_BYTES // 2); print('half', flush=True); "
        "mmap(-1, MEMORY_LIMIT_BYTES)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "half\n"
    assert "Cannot allocate memory" in done.stderr


async def test_closing_ends_the_process_that_decodes(tmp_path: Path) -> None:
    path = wav(tmp_path / "long.wav", SAMPLE_RATE_HERTZ, 600 * SAMPLE_RATE_HERTZ)
    closed, left = AudioFile(str(path)), AudioFile(str(path))
    pids = (closed.decoding_pid, left.decoding_pid)
    closed.close()
    del left  # nobody closed it
    async with asyncio.timeout(10):
        while any(proc(pid, "stat").exists() for pid in pids):
            await asyncio.sleep(0.05)


def bent(content: bytes, seed: int) -> bytes:
    """A recording with some bytes changed, most of them in its header, and cut off somewhere."""
    chance = random.Random(seed)
    changed = bytearray(content)
    for _ in range(chance.choice((1, 4, 30))):
        changed[chance.randrange(60 if chance.random() < 0.7 else len(changed))] ^= 0xFF
    return bytes(changed[: chance.choice((None, chance.randrange(len(changed))))])


async def test_damaged_recordings_are_refused_or_decoded_within_bounds(tmp_path: Path) -> None:
    """By the process that decodes them for every verb: it answers, whatever it is given."""
    whole = (
        endless_flac(tmp_path / "whole.flac", 3),
        wav(tmp_path / "whole.wav", 8_000, 24_000),
    )
    outcomes = []
    for seed in range(14):
        path = whole[seed % 2].with_stem(str(seed))
        path.write_bytes(bent(whole[seed % 2].read_bytes(), seed))
        try:
            outcomes.append(await decoded_s(AudioFile(str(path), limit_s=60)))
        except InvalidInput as refused:
            outcomes.append(refused.reason)
    decoded = [outcome for outcome in outcomes if isinstance(outcome, float)]
    refusals = {outcome for outcome in outcomes if isinstance(outcome, str)}
    assert decoded
    assert max(decoded) <= 60
    assert "NOT_AUDIO" in refusals
    assert "DECODING_FAILED" not in refusals  # that is how a process ends that did not foresee it
