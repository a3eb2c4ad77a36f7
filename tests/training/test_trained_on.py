"""Clips that a recogniser was trained on are not what it is judged by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.errors import InvalidInput
from tests.training.test_audio import rows_of, sermons
from tests.training.test_audio import run as run_audio
from training.evaluate import evaluate
from training.evaluation.recognisers import read_speech
from training.evaluation.trained_on import apart


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sermons(tmp_path_factory.mktemp("recordings") / "sermons", 3)


@pytest.fixture(scope="module")
def clips(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the three recordings, one is kept for judging."""
    out = tmp_path_factory.mktemp("clips") / "clips"
    done = run_audio(out, "--recordings", recordings, "--validation-share", 0.3)
    assert done.exit_code == 0, done.output
    assert (len(rows_of(out)), len(rows_of(out, "validation"))) == (2, 1)
    return out


def names(found: dict[str, list]) -> list[str]:  # type: ignore[type-arg]
    return [clip.path.name for clip in found["church"]]


def test_recordings_that_clips_were_made_of_are_left_out(
    recordings: Path, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speech = read_speech([f"church={recordings}"], "en")
    (kept,) = rows_of(clips, "validation")
    assert names(apart(speech, "pocketsphinx", [clips])) == [kept["file_name"].split("/")[0]]
    assert "church: 2 of 3 clips are left out" in capsys.readouterr().err
    assert len(names(apart(speech, "pocketsphinx", []))) == 3


def test_a_folder_of_clips_gives_those_that_it_keeps_for_judging(clips: Path) -> None:
    left = apart(read_speech([f"church={clips}"], "en"), "pocketsphinx", [clips])
    assert [clip.path.parts[-3] for clip in left["church"]] == ["validation"]


def test_clips_that_were_cut_anew_from_a_recording_are_left_out(
    recordings: Path, clips: Path, tmp_path: Path
) -> None:
    anew = tmp_path / "anew"
    done = run_audio(anew, "--recordings", recordings, "--validation-share", 0, "--denoise")
    assert done.exit_code == 0, done.output
    assert len(apart(read_speech([f"church={anew}"], "en"), "pocketsphinx", [clips])["church"]) == 1


def test_a_set_of_which_nothing_is_left_is_refused(clips: Path) -> None:
    speech = read_speech([f"church={clips / 'train'}"], "en")
    with pytest.raises(InvalidInput, match="trained on all of church"):
        apart(speech, "pocketsphinx", [clips])


def test_a_model_s_own_run_tells_what_it_learned_from(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "run.json").write_text(json.dumps({"options": {"clips": str(clips)}}))
    speech = read_speech([f"church={clips}"], "en")
    assert len(apart(speech, f"transformers:{tmp_path / 'adapter'}", [])["church"]) == 1


def test_what_is_judged_is_told_which_clips_were_trained_on(
    recordings: Path, clips: Path, tmp_path: Path
) -> None:
    told = ["--stt-new", "pocketsphinx", "--speech", f"church={recordings}"]
    done = CliRunner().invoke(
        evaluate, [*told, "--trained-on", str(clips), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out/evaluation.json").read_text())["recognition"]
    assert found["sets"]["church"]["clips"] == 1
