"""`./glossa transcribe`: real verb, real stt, real pocketsphinx."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import pytest

from tests.cli.verb import run_verb
from tests.speech import silence, spoken


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "psalm.wav"
    _write(path, spoken("He makes me lie down in green pastures.").tobytes())
    return path


def _write(path: Path, pcm: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(pcm)


def test_the_words_of_a_recording_come_out(recording: Path) -> None:
    done = run_verb("transcribe", str(recording))
    assert done.returncode == 0, done.stderr
    assert "green pastures" in done.stdout.lower()


def test_json_has_timed_words_as_numbers(recording: Path) -> None:
    done = run_verb("transcribe", "--format", "json", str(recording))
    (line,) = done.stdout.splitlines()
    final = json.loads(line)
    assert final["segment_id"] == 1
    assert final["start_offset_ms"] == 0  # there though protobuf leaves it out
    assert 0 < final["words"][-1]["start_offset_ms"] < final["words"][-1]["end_offset_ms"]
    assert final["text"].split()[-1] == final["words"][-1]["text"]


def test_vtt_is_a_cue_a_segment(recording: Path) -> None:
    lines = run_verb("transcribe", "--format", "vtt", str(recording)).stdout.splitlines()
    assert lines[:2] == ["WEBVTT", ""]
    assert lines[2].startswith("00:00:0")
    assert " --> " in lines[2]
    assert "pastures" in lines[3].lower()


def test_a_recording_without_speech_is_told_so(tmp_path: Path) -> None:
    _write(tmp_path / "quiet.wav", silence(2).tobytes())
    done = run_verb("transcribe", str(tmp_path / "quiet.wav"))
    assert done.returncode == 1
    assert "no speech was recognised" in done.stderr


def test_a_missing_file_is_told_before_anything_is_started(tmp_path: Path) -> None:
    done = run_verb("transcribe", str(tmp_path / "nope.wav"))
    assert done.returncode == 2
    assert "FILE_NOT_FOUND" in done.stderr
    assert "starting" not in done.stderr


def test_a_language_that_the_engine_does_not_know_is_refused(recording: Path) -> None:
    done = run_verb("transcribe", "--source", "es", "--engine", "pocketsphinx", str(recording))
    assert done.returncode == 2
    assert "UNSUPPORTED_LANGUAGE" in done.stderr
