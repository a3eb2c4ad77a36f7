"""Which recordings a bench takes, and what it says of a folder that holds none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.recordings import Recording, read_recordings
from services.errors import InvalidInput


def test_a_manifest_names_recordings_by_language(tmp_path: Path) -> None:
    rows = [
        {"file": "a.wav", "text": "one", "lang": "en", "translations": {"es": "uno"}},
        {"file": "b.wav", "text": "dos", "lang": "es"},
    ]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"RIFF")
    assert read_recordings(tmp_path, "en") == [Recording(tmp_path / "a.wav", "one", {"es": "uno"})]


def test_without_a_manifest_the_text_lies_beside(tmp_path: Path) -> None:
    (tmp_path / "b.flac").write_bytes(b"fLaC")
    (tmp_path / "a.mp3").write_bytes(b"ID3")
    (tmp_path / "a.txt").write_text("grace\nand peace\n")
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")
    assert read_recordings(tmp_path, "en") == [
        Recording(tmp_path / "a.mp3", "grace and peace"),
        Recording(tmp_path / "b.flac"),
    ]
    assert len(read_recordings(tmp_path, "en", limit=1)) == 1


def test_an_empty_folder_is_told_with_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"manifest\.jsonl or a \.txt"):
        read_recordings(tmp_path, "en")


def test_a_manifest_that_names_a_missing_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text('{"file": "gone.wav", "text": ""}')
    with pytest.raises(InvalidInput, match=r"gone\.wav, which is not there"):
        read_recordings(tmp_path, "en")


@pytest.mark.parametrize("line", ["{", '{"text": "x"}', "[]"])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "manifest.jsonl").write_text(f'{{"file": "a.wav"}}\n{line}\n')
    with pytest.raises(InvalidInput, match="line 2"):
        read_recordings(tmp_path, "en")
