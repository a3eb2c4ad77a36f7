"""What a job's folder is when it is begun a second time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.errors import InvalidInput, WrongState
from training.rows import Row, read_rows, write_rows
from training.run_folder import MANIFEST, RunFolder, fingerprint, whole_file


def _failed(out: Path) -> None:
    with pytest.raises(ValueError, match="no sermons"), RunFolder(out, "mix", {"pairs": 1}):
        raise ValueError("no sermons")


def test_a_run_that_failed_before_it_wrote_anything_is_begun_anew(tmp_path: Path) -> None:
    _failed(tmp_path / "out")
    with RunFolder(tmp_path / "out", "mix", {"pairs": 2}):
        pass
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text())
    assert (manifest["status"], manifest["options"]) == ("done", {"pairs": 2})


def test_what_a_failed_run_wrote_is_not_written_over(tmp_path: Path) -> None:
    _failed(tmp_path / "out")
    (tmp_path / "out" / "train.jsonl").write_text("{}\n")
    with pytest.raises(WrongState, match="is not empty"):
        RunFolder(tmp_path / "out", "mix", {})


def test_a_failed_run_of_another_job_keeps_its_folder(tmp_path: Path) -> None:
    _failed(tmp_path / "out")
    with pytest.raises(WrongState, match="is not empty"):
        RunFolder(tmp_path / "out", "bible", {})


def test_resume_is_named_only_where_the_job_has_it(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "out", "mix", {}):
        pass
    with pytest.raises(WrongState, match=r"name another folder$"):
        RunFolder(tmp_path / "out", "mix", {})
    with pytest.raises(WrongState, match="or --resume"):
        RunFolder(tmp_path / "out", "mix", {}, resumes=False)


def test_an_input_that_is_missing_is_named_with_what_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot read .*none.*the right folder"):
        RunFolder(tmp_path / "out", "mix", {}, inputs={"train": tmp_path / "none"})
    assert not (tmp_path / "out").exists()


def test_a_folder_is_known_by_its_names_and_contents_and_not_by_what_is_hidden_in_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "model.bin").write_text("weights")
    known = fingerprint(tmp_path)
    (tmp_path / ".glossa-hashes.json").write_text("{}")
    (tmp_path / ".pending").mkdir()
    (tmp_path / ".pending" / "model.bin").write_text("half")
    assert fingerprint(tmp_path) == known
    (tmp_path / "part" / "model.bin").rename(tmp_path / "part" / "other.bin")
    assert fingerprint(tmp_path) != known


def test_a_file_that_is_not_whole_takes_nobodys_place(tmp_path: Path) -> None:
    rows = [Row(text, text, "sermon", "test") for text in ("Amen.", "Let us pray.")]

    def broken() -> Iterator[Row]:
        yield rows[0]
        raise ValueError("the disk is full")

    write_rows(tmp_path / "train.jsonl", rows)
    with pytest.raises(ValueError, match="the disk is full"):
        write_rows(tmp_path / "train.jsonl", broken())
    assert list(read_rows(tmp_path / "train.jsonl")) == rows
    assert [path.name for path in tmp_path.iterdir()] == ["train.jsonl"]


def test_a_file_is_seen_when_it_is_whole(tmp_path: Path) -> None:
    with whole_file(tmp_path / "clips.jsonl") as file:
        file.write(b"1\n")
        assert not (tmp_path / "clips.jsonl").exists()
    assert (tmp_path / "clips.jsonl").read_bytes() == b"1\n"
