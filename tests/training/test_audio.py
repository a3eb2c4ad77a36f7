"""Church recordings become training clips: what is kept, what is refused, and where it lies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from services.audio import SAMPLE_RATE_HERTZ
from tests import speech
from training.audio import audio
from training.clips import gates as clip_gates
from training.clips import sound as clip_sound

SENTENCES = (
    "We are saved by grace through faith, and not by works.",
    "The Lord is my shepherd, I shall not want.",
    "Let us turn to the letter to the Romans.",
)


def recording(path: Path, pcm: speech.Pcm, rate_hertz: int = SAMPLE_RATE_HERTZ) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, pcm, rate_hertz)
    return path


def listed(folder: Path, *rows: dict[str, Any]) -> Path:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.jsonl").write_text(lines, encoding="utf-8")
    return folder


def sermons(folder: Path, count: int = 2, **fields: str) -> Path:
    """A folder of files with a sentence each, and what is said in them."""
    names = [f"{index}.wav" for index in range(count)]
    for index, name in enumerate(names):
        said = speech.with_pauses(speech.spoken(SENTENCES[index % 3]), pause_s=0.7)
        recording(folder / name, said)
    rows = ({"file": n, "text": SENTENCES[i % 3], **fields} for i, n in enumerate(names))
    return listed(folder, *rows)


def run(out: Path, *arguments: object) -> Result:
    return CliRunner().invoke(audio, [*map(str, arguments), "--out", str(out)])


def rows_of(out: Path, split: str = "train") -> list[dict[str, Any]]:
    lines = (out / split / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def refused(out: Path) -> dict[str, int]:
    counts: dict[str, int] = json.loads((out / "run.json").read_text())["metrics"]["refused"]
    return counts


def test_a_long_recording_is_cut_where_it_pauses_and_transcribed(tmp_path: Path) -> None:
    said = [speech.spoken(sentence) for sentence in SENTENCES]
    quiet = speech.with_pauses(said[0], said[1], speech.silence(4), said[2], pause_s=0.8)
    recording(tmp_path / "sermons/a.flac", quiet)
    out = tmp_path / "clips"
    result = run(
        out, "--recordings", tmp_path / "sermons", "--engine", "pocketsphinx",
        "--min-confidence", 0.3,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    first, second = rows_of(out)  # the two with a short pause are one clip
    assert "grace" in first["transcription"]
    assert "shepherd" in first["transcription"]
    assert "letter" in second["transcription"]
    assert 0 < first["confidence"] <= 1
    assert first["decision"] == "undecided"
    for row in (first, second):
        samples, rate_hertz = soundfile.read(out / "train" / row["file_name"])
        assert rate_hertz == SAMPLE_RATE_HERTZ
        assert 1 <= len(samples) / rate_hertz <= 30
        assert len(samples) * 1000 // rate_hertz == row["duration_ms"]
    assert second["start_ms"] >= first["start_ms"] + first["duration_ms"] + 2000


def test_clips_that_a_recogniser_is_unsure_of_are_left_out(tmp_path: Path) -> None:
    recording(tmp_path / "a.wav", speech.with_pauses(speech.spoken(SENTENCES[0])))
    result = run(
        tmp_path / "clips", "--recordings", tmp_path / "a.wav", "--engine", "pocketsphinx",
        "--min-confidence", 1,
    )  # fmt: skip
    assert result.exit_code == 1
    assert "no clip passed" in result.output
    assert refused(tmp_path / "clips") == {"low_confidence": 1}


def test_given_transcripts_are_taken_and_nobody_is_asked(tmp_path: Path) -> None:
    folder = sermons(tmp_path / "sermons", accent="scottish")
    out = tmp_path / "clips"
    result = run(out, "--recordings", folder, "--model", "not there", "--validation-share", 0)
    assert result.exit_code == 0, result.output
    rows = rows_of(out)
    assert [row["transcription"] for row in rows] == list(SENTENCES[:2])
    assert {row["decision"] for row in rows} == {"given"}
    assert {row["accent"] for row in rows} == {"scottish"}


def test_a_transcript_with_times_is_of_that_stretch_alone(tmp_path: Path) -> None:
    parts = [speech.spoken(sentence) for sentence in SENTENCES[:2]]
    pcm = speech.with_pauses(*parts, pause_s=1.0)
    recording(tmp_path / "s/a.wav", pcm)
    second_s = 2.0 + len(parts[0]) / SAMPLE_RATE_HERTZ
    listed(
        tmp_path / "s",
        {"file": "a.wav", "text": SENTENCES[0], "start_s": 0.5, "end_s": second_s - 0.5},
        {"file": "a.wav", "text": SENTENCES[1], "start_s": second_s - 0.5},
        {"file": "a.wav", "text": "Behind its end.", "start_s": 900, "end_s": 901},
    )
    out = tmp_path / "clips"
    assert run(out, "--recordings", tmp_path / "s").exit_code == 0
    rows = rows_of(out)
    assert [row["start_ms"] for row in rows] == [500, round(second_s * 1000) - 500]
    assert refused(out) == {"times_outside": 1}


def noisy(level: float) -> speech.Pcm:
    said = speech.with_pauses(speech.spoken(SENTENCES[0]), pause_s=1.0)
    noise = speech.white_noise(len(said) / SAMPLE_RATE_HERTZ + 1, level)[: len(said)]
    return np.clip(said.astype(np.int32) + noise, -32768, 32767).astype(np.int16)


def overdriven() -> speech.Pcm:
    said = speech.with_pauses(speech.spoken(SENTENCES[0]), pause_s=1.0).astype(np.float64)
    return np.clip(said / np.abs(said).max() * 32767 * 8, -32768, 32767).astype(np.int16)


def quiet() -> speech.Pcm:
    return (speech.with_pauses(speech.spoken(SENTENCES[0])) * 0.01).astype(np.int16)


@pytest.mark.parametrize(
    ("name", "pcm", "reason"),
    [
        ("noise", noisy(0.06), "noisy"),
        ("clipping", overdriven(), "clipped"),
        ("level", quiet(), "too_quiet"),
        ("silence", speech.silence(3), "no_speech"),
        ("length", speech.spoken("Amen.")[:8000], "too_short"),
        ("text", np.concatenate([speech.spoken(" ".join(SENTENCES))] * 4), "text_without_times"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_worth_training_on_is_refused_and_counted(
    tmp_path: Path, name: str, pcm: speech.Pcm, reason: str
) -> None:
    folder = sermons(tmp_path / "s", count=1)
    recording(folder / "bad.wav", pcm)
    listed(folder, {"file": "0.wav", "text": SENTENCES[0]}, {"file": "bad.wav", "text": "So."})
    out = tmp_path / "clips"
    result = run(out, "--recordings", folder)
    assert result.exit_code == 0, result.output
    assert refused(out) == {reason: 1}
    assert reason in result.output
    assert len(rows_of(out)) == 1


def test_a_telephone_recording_and_a_file_that_is_no_audio_are_refused(tmp_path: Path) -> None:
    folder = sermons(tmp_path / "s", count=1)
    recording(folder / "phone.wav", speech.spoken(SENTENCES[0])[::2], 8000)
    (folder / "notes.mp3").write_text("not audio")
    names = ("0.wav", "phone.wav", "notes.mp3")
    listed(folder, *({"file": name, "text": SENTENCES[0]} for name in names))
    out = tmp_path / "clips"
    assert run(out, "--recordings", folder).exit_code == 0
    assert refused(out) == {"low_sample_rate": 1, "not_audio": 1}


def test_clips_are_equally_loud_and_none_is_cut_off(tmp_path: Path) -> None:
    folder = sermons(tmp_path / "s")
    soft, rate_hertz = soundfile.read(folder / "0.wav")
    soundfile.write(folder / "0.wav", soft * 0.05, rate_hertz)
    out = tmp_path / "clips"
    assert run(out, "--recordings", folder, "--validation-share", 0).exit_code == 0
    for row in rows_of(out):
        samples = soundfile.read(out / "train" / row["file_name"], dtype="float32")[0]
        assert clip_sound.loudness_lufs(samples) == pytest.approx(clip_sound.TARGET_LUFS, abs=0.5)
        assert np.abs(samples).max() < 0.9


def test_loudness_is_measured_as_the_standard_says() -> None:
    """EBU Tech 3341, test case 1: a tone of 1 kHz at -23 dBFS in two channels is -23 LUFS; in one
    channel it has half the power."""
    times_s = np.arange(20 * SAMPLE_RATE_HERTZ) / SAMPLE_RATE_HERTZ
    tone = (10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * times_s)).astype(np.float32)
    assert clip_sound.loudness_lufs(tone) == pytest.approx(-26.0, abs=0.1)


def test_denoising_brings_steady_noise_down_and_leaves_the_words(tmp_path: Path) -> None:
    pcm = noisy(0.01)
    folder = sermons(tmp_path / "s", count=1)
    recording(folder / "0.wav", pcm)
    plain, denoised = tmp_path / "plain", tmp_path / "denoised"
    assert run(plain, "--recordings", folder).exit_code == 0
    assert run(denoised, "--recordings", folder, "--denoise").exit_code == 0
    clean = speech.with_pauses(speech.spoken(SENTENCES[0]), pause_s=1.0).astype(np.float64)
    figures = []
    for out in (plain, denoised):
        samples = soundfile.read(out / "train" / rows_of(out)[0]["file_name"])[0]
        scale = samples @ clean / (clean @ clean)
        error = samples - scale * clean
        figures.append(10 * np.log10(np.mean((scale * clean) ** 2) / np.mean(error**2)))
    assert figures[1] > figures[0] + 4  # dB


def test_the_noise_is_told_from_the_speech(tmp_path: Path) -> None:
    """What is measured is what was mixed, within 2 dB."""
    clean = speech.with_pauses(speech.spoken(SENTENCES[0]), pause_s=1.0) / 32768
    spoken_power = np.mean(clean[SAMPLE_RATE_HERTZ:-SAMPLE_RATE_HERTZ] ** 2)
    folder = sermons(tmp_path / "s", count=1)
    recording(folder / "0.wav", noisy(0.01))
    assert run(tmp_path / "clips", "--recordings", folder).exit_code == 0
    measured = rows_of(tmp_path / "clips")[0]["snr_db"]
    assert measured == pytest.approx(10 * np.log10(spoken_power / 0.01**2), abs=2)


def test_only_runs_at_full_scale_are_clipping() -> None:
    samples = np.zeros(100, dtype=np.float32)
    samples[10], samples[20:22] = 1, -1  # a peak, and one of two samples
    assert clip_gates.clipped_share(samples) == 0
    samples[40:43], samples[-5:] = 1, -1
    assert clip_gates.clipped_share(samples) == pytest.approx(0.08)


def test_rare_accents_are_seen_more_often(tmp_path: Path) -> None:
    many = sermons(tmp_path / "many", count=6)
    for path in many.glob("*.wav"):
        path.rename(path.with_name(f"m{path.name}"))
    listed(many, *({"file": f"m{i}.wav", "text": SENTENCES[i % 3]} for i in range(6)))
    few = sermons(tmp_path / "few")
    out = tmp_path / "clips"
    result = run(
        out, "--recordings", many, "--recordings", few, "--accent", f"{many}=scottish",
        "--accent", f"{few}=nigerian", "--validation-share", 0, "--max-accent-weight", 2.5,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    weights = {row["accent"]: row["weight"] for row in rows_of(out)}
    assert weights == {"scottish": 1.0, "nigerian": 2.5}  # three times as much, and capped
    assert "nigerian" in result.output


def test_a_table_says_who_speaks_how(tmp_path: Path) -> None:
    folder = sermons(tmp_path / "s")
    (tmp_path / "who.csv").write_text("file,accent\ns/1.wav,kenyan\n")
    out = tmp_path / "clips"
    result = run(
        out, "--recordings", folder, "--accent", f"{folder}=scottish",
        "--accent-table", tmp_path / "who.csv", "--validation-share", 0,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert [row["accent"] for row in rows_of(out)] == ["scottish", "kenyan"]


def test_no_speaker_is_trained_on_and_judged_by(tmp_path: Path) -> None:
    folder = sermons(tmp_path / "s", count=6)
    speakers = ("Ann", "Ben", "Ann", "Cat", "Ben", "Ann")
    said = enumerate(speakers)
    listed(
        folder,
        *({"file": f"{i}.wav", "text": SENTENCES[i % 3], "speaker": who} for i, who in said),
    )
    out = tmp_path / "clips"
    assert run(out, "--recordings", folder, "--validation-share", 0.2).exit_code == 0
    trained = {row["session_id"] for row in rows_of(out)}
    judged = {row["session_id"] for row in rows_of(out, "validation")}
    assert trained | judged == {"Ann", "Ben", "Cat"}
    assert judged
    assert not trained & judged


def test_clips_of_the_collector_are_taken_in(tmp_path: Path) -> None:
    clips = tmp_path / "dataset/audio/en/train"
    recording(clips / "sunday/1.flac", speech.with_pauses(speech.spoken(SENTENCES[0])))
    row = {
        "file_name": "sunday/1.flac", "transcription": SENTENCES[0], "session_id": "sunday",
        "pair_id": "p1", "language": "en", "duration_ms": 1, "decision": "fixed", "quality": 0.9,
    }  # fmt: skip
    (clips / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    own = sermons(tmp_path / "own", count=1)
    out = tmp_path / "clips"
    result = run(
        out, "--recordings", own, "--dataset", tmp_path / "dataset", "--validation-share", 0
    )
    assert result.exit_code == 0, result.output
    ours, collected = rows_of(out)
    assert ours.keys() == collected.keys() >= row.keys()
    assert (collected["pair_id"], collected["decision"], collected["quality"]) == (
        "p1",
        "fixed",
        0.9,
    )
    assert collected["session_id"] == "sunday"


def test_a_killed_run_goes_on_and_makes_what_it_would_have_made(tmp_path: Path) -> None:
    folder = sermons(tmp_path / "s", count=12)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run(whole, "--recordings", folder).exit_code == 0
    command = [sys.executable, "-m", "training.audio", "--recordings", str(folder)]
    process = subprocess.Popen([*command, "--out", str(killed)])
    deadline = time.monotonic() + 60
    while len(list(killed.glob("recordings/*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in killed.glob("recordings/*.json")}
    assert 3 <= len(kept) < 12
    assert not (killed / "train").exists()
    assert run(killed, "--recordings", folder).exit_code == 1  # not without being told to
    result = run(killed, "--recordings", folder, "--resume")
    assert result.exit_code == 0, result.output
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
    for split in ("train", "validation"):
        assert rows_of(killed, split) == rows_of(whole, split)
        for row in rows_of(whole, split):
            files = [folder / split / row["file_name"] for folder in (whole, killed)]
            assert files[0].read_bytes() == files[1].read_bytes()
    assert not (killed / ".pending").exists()


@pytest.mark.training
def test_huggingface_finds_the_clips_and_nothing_else(tmp_path: Path) -> None:
    import datasets

    out = tmp_path / "clips"
    folder = sermons(tmp_path / "s", count=4)
    assert run(out, "--recordings", folder, "--validation-share", 0.3).exit_code == 0
    found = datasets.load_dataset_builder("audiofolder", data_dir=str(out)).config.data_files
    files = {str(split): {Path(name) for name in names} for split, names in found.items()}
    assert files.keys() == {"train", "validation"}
    for split in files:
        named = {out / split / row["file_name"] for row in rows_of(out, split)}
        assert files[split] == named | {out / split / "metadata.jsonl"}
