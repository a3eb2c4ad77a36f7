"""Forgetting a session in what the jobs of training made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.errors import WrongState
from tests import speech
from tests.training.test_audio import SENTENCES, listed, recording
from tests.training.test_audio import run as run_audio
from tests.training.versions import small_export
from training.collected import forgetting
from training.evaluate import evaluate
from training.forget import forget
from training.noise import noise
from training.rollout.versions import Registry
from training.rows import Row, read_rows, write_rows
from training.run_folder import RunFolder

NAMES = ("train", "dev", "test", "judged")
GONE, KEPT = "20261122-100214-5f0c33ab", "20261122-100214-5f0c33a"


def rows(*sessions: str) -> list[Row]:
    verse = Row("In the beginning.", "En el principio.", "bible", "WEB-BES", "GEN")
    told = [
        Row(f"Sermon {at} of {session}.", f"Sermón {at} de {session}.", "sermon", "s", session)
        for session in sessions
        for at in range(3)
    ]
    return [verse, *told]


def mixed(folder: Path, *sessions: str) -> Path:
    """The folder of a mix, as training.mix leaves it."""
    with RunFolder(folder, "mix", {}):
        for name in NAMES:
            write_rows(folder / f"{name}.jsonl", rows(*sessions))
    return folder


def read_by(reader: Path, mix: Path, job: str = "marian") -> Path:
    """The folder of a run that learned from a mix."""
    with RunFolder(reader, job, {}, inputs={"train": mix / "train.jsonl"}):
        pass
    return reader


def run(state_dir: Path, session: str = GONE) -> Result:
    return CliRunner().invoke(forget, ["--session", session, "--state-dir", str(state_dir)])


def forgot(state_dir: Path) -> str:
    done = run(state_dir)
    assert done.exit_code == 0, done.output
    return done.output


def told(folder: Path, name: str = "run.json") -> Any:
    return json.loads((folder / name).read_text())


def holding(folder: Path, text: str) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and text.encode() in path.read_bytes()
    ]


def test_a_mix_and_what_was_made_of_it_lose_the_rows_of_that_session_alone(tmp_path: Path) -> None:
    mix = mixed(tmp_path / "training/mix", GONE, KEPT)
    made = CliRunner().invoke(
        noise, ["--mix", str(mix), "--noisy-share", "0.5", "--out", str(tmp_path / "noisy")]
    )
    assert made.exit_code == 0, made.output
    assert "taken out of 8 files" in forgot(tmp_path)
    assert list(read_rows(mix / "train.jsonl")) == rows(KEPT)
    assert {row.group for row in read_rows(tmp_path / "noisy/train.jsonl")} == {"GEN", KEPT}
    assert holding(tmp_path, GONE) == []


def test_a_folder_says_what_was_taken_out_of_it_and_a_run_what_it_had_read(tmp_path: Path) -> None:
    mix = mixed(tmp_path / "mix", GONE, KEPT)
    trained = read_by(tmp_path / "trained", mix)
    before = told(trained)["inputs"]["train"]
    assert f"{trained} had read them; a model" in forgot(tmp_path)
    notes = {note["file"]: note for note in told(mix)["forgotten"]}
    assert notes.keys() == {f"{name}.jsonl" for name in NAMES}
    assert notes["train.jsonl"]["rows"] == 3
    assert notes["train.jsonl"]["sha256_before"] == before
    again = read_by(tmp_path / "again", mix)
    assert notes["train.jsonl"]["sha256"] == told(again)["inputs"]["train"]
    (note,) = told(trained)["forgotten"]
    assert (note["input"], note["rows"]) == ("train", 3)
    assert "forgotten" not in told(again)


def test_a_second_session_is_noted_where_the_first_was_forgotten(tmp_path: Path) -> None:
    mix = mixed(tmp_path / "mix", GONE, KEPT)
    trained = read_by(tmp_path / "trained", mix)
    forgot(tmp_path)
    assert run(tmp_path, KEPT).exit_code == 0
    assert [note["rows"] for note in told(trained)["forgotten"]] == [3, 3]
    assert {row.group for row in read_rows(mix / "train.jsonl")} == {"GEN"}


def test_to_forget_once_more_changes_nothing(tmp_path: Path) -> None:
    mix = mixed(tmp_path / "mix", GONE)
    forgot(tmp_path)
    first = {path: path.read_bytes() for path in mix.iterdir()}
    assert forgot(tmp_path).startswith("0 rows taken out of 0 files")
    assert {path: path.read_bytes() for path in mix.iterdir()} == first


def test_killed_amid_it_is_finished_by_the_next_and_noted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mix = mixed(tmp_path / "mix", GONE, KEPT)
    trained = read_by(tmp_path / "trained", mix)
    real = forgetting.whole_file

    def killed(path: Path) -> Any:
        if path.name == "train.jsonl":
            raise KeyboardInterrupt
        return real(path)

    monkeypatch.setattr(forgetting, "whole_file", killed)
    assert run(tmp_path).exit_code == 130
    assert holding(mix, GONE), "the last file still holds it"
    monkeypatch.undo()
    forgot(tmp_path)
    assert holding(tmp_path, GONE) == []
    assert len(told(mix)["forgotten"]) == len(NAMES)
    assert len(told(trained)["forgotten"]) == 1


def test_an_evaluation_loses_its_sentences_also_on_its_page_and_in_the_registry(
    tmp_path: Path,
) -> None:
    write_rows(tmp_path / "set.jsonl", rows(GONE, KEPT))
    out = tmp_path / "evaluations/sunday"
    done = CliRunner().invoke(
        evaluate,
        [
            *("--out", str(out), "--new", "apertium", "--no-own-sermon", "--no-as-heard"),
            *("--set", f"sermon={tmp_path / 'set.jsonl'}"),
        ],
    )
    assert done.exit_code == 0, done.output
    version = Registry(tmp_path / "registry").add(
        small_export(tmp_path / "export"), cycle=1, evaluation=out / "evaluation.json"
    )
    (tmp_path / "set.jsonl").unlink()
    names = {path.name for path in holding(tmp_path, f"of {GONE}.")}
    assert names == {"evaluation.json", "evaluation.html", "translations.jsonl"}
    forgot(tmp_path)
    assert holding(tmp_path, GONE) == []
    assert len(holding(tmp_path, f"of {KEPT}.")) == 4
    assert "<h1>Evaluation</h1>" in (out / "evaluation.html").read_text()
    assert told(out, "evaluation.json")["translation"]["sets"]["sermon"]["sentences"] == 7
    kept_version = version.folder / "evaluation.json"
    assert kept_version.stat().st_mode & 0o222 == 0, "a version's files stay read-only"
    assert told(version.folder, "version.json")["forgotten"]


def test_clips_and_their_sound_go_with_the_recording_that_is_named_like_the_session(
    tmp_path: Path,
) -> None:
    names = [f"{GONE}.wav", f"{KEPT}.wav"]
    for name, sentence in zip(names, SENTENCES, strict=False):
        said = speech.with_pauses(speech.spoken(sentence), pause_s=0.7)
        recording(tmp_path / "audio" / name, said)
    listed(
        tmp_path / "audio",
        *({"file": name, "text": said} for name, said in zip(names, SENTENCES, strict=False)),
    )
    out = tmp_path / "training/clips"
    made = run_audio(out, "--recordings", tmp_path / "audio", "--validation-share", 0)
    assert made.exit_code == 0, made.output
    for folder, read in (("ears", out), ("judged", out / "train")):
        with RunFolder(tmp_path / folder, "whisper", {}, inputs={"clips": read}):
            pass
    assert len(list(out.rglob("*.flac"))) == 2
    forgot(tmp_path)
    assert [path.parent.name for path in out.rglob("*.flac")] == [f"{KEPT}.wav"]
    assert [path.name for path in (out / "recordings").iterdir()] == [f"{KEPT}.wav.json"]
    assert holding(out, GONE) == []
    assert [told(tmp_path / name)["forgotten"][0]["rows"] for name in ("ears", "judged")] == [1, 1]
    assert run(tmp_path, KEPT).exit_code == 0
    assert len(told(tmp_path / "ears")["forgotten"]) == 2
    assert not list(out.rglob("*.flac"))


def test_a_cycle_loses_the_rows_that_its_model_is_judged_by(tmp_path: Path) -> None:
    write_rows(tmp_path / "cycles/1/judges/held-out.jsonl", rows(GONE, KEPT))
    (tmp_path / "cycles/1/cycle.json").write_text('{"schema": "glossa-cycle"}')
    forgot(tmp_path)
    assert list(read_rows(tmp_path / "cycles/1/judges/held-out.jsonl")) == rows(KEPT)
    assert told(tmp_path / "cycles/1", "cycle.json")["forgotten"][0]["rows"] == 3


def test_a_job_that_is_at_work_is_left_alone_and_named(tmp_path: Path) -> None:
    mix = mixed(tmp_path / "mix", GONE)
    with RunFolder(tmp_path / "noisy", "noise", {}) as at_work:
        write_rows(at_work.path / "train.jsonl", rows(GONE))
        done = run(tmp_path)
        assert done.exit_code == 1
        assert f"{at_work.path}: a job is at work there" in done.output
        assert holding(mix, GONE) == []
        assert holding(at_work.path, GONE)
    forgot(tmp_path)
    assert holding(tmp_path, GONE) == []


def test_a_training_under_way_is_marked_and_keeps_the_mark(tmp_path: Path) -> None:
    mix = mixed(tmp_path / "mix", GONE)
    with RunFolder(
        tmp_path / "trained", "marian", {}, inputs={"train": mix / "train.jsonl"}
    ) as run_of:
        forgot(tmp_path)
        run_of.note(steps=1)
    manifest = told(tmp_path / "trained")
    assert (manifest["status"], len(manifest["forgotten"])) == ("done", 1)


def test_a_run_that_read_what_was_forgotten_is_to_be_begun_anew(tmp_path: Path) -> None:
    mix = mixed(tmp_path / "mix", GONE)
    read_by(tmp_path / "trained", mix)
    forgot(tmp_path)
    with pytest.raises(WrongState, match="was forgotten since then; begin anew"):
        RunFolder(
            tmp_path / "trained",
            "marian",
            {},
            inputs={"train": mix / "train.jsonl"},
            resumes=True,
        )


def test_what_no_job_wrote_is_not_touched(tmp_path: Path) -> None:
    write_rows(tmp_path / "mine/rows.jsonl", rows(GONE))
    write_rows(tmp_path / "datasets/november/en-es/pairs.jsonl", rows(GONE))
    (tmp_path / "datasets/november/manifest.json").write_text("{}")
    mixed(tmp_path / "mix", GONE)
    forgot(tmp_path)
    assert [path.name for path in holding(tmp_path, GONE)] == ["pairs.jsonl", "rows.jsonl"]


def test_a_line_that_was_cut_off_goes_with_the_session_that_it_names(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "taught", "distill sentences", {}) as taught:
        line = json.dumps({"source": "Amen.", "target": "Amén.", "group": KEPT})
        (taught.path / "teacher.jsonl").write_text(f'{line}\n{{"group": "{GONE}", "sou')
        (taught.path / ".train.jsonl.new").write_text(GONE)
    forgot(tmp_path)
    assert (taught.path / "teacher.jsonl").read_text() == f"{line}\n"
    assert not (taught.path / ".train.jsonl.new").exists()
