"""Lines of files whose texts hold what other programs take for the end of a line."""

from __future__ import annotations

import json
from pathlib import Path

from services.mt.engine import LanguagePair
from tests import speech
from tests.training.test_audio import recording
from training.clips.folder import TRAIN, read_clips, write_metadata
from training.clips.recordings import Accents, find_recordings
from training.evaluation import recognisers
from training.evaluation.sets import read_set
from training.text_lines import text_lines

SAID = "Grace\u2028and peace\x85to you.\x0c"


def test_a_line_ends_where_the_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(f"one\r\n{SAID}\n\nlast".encode())
    assert text_lines(tmp_path / "a.txt") == ["one", SAID, "", "last"]


def test_clips_and_recordings_are_read_whatever_is_said_in_them(tmp_path: Path) -> None:
    recording(tmp_path / "train/a.flac", speech.silence(1))
    row = {"file_name": "a.flac", "file": "a.flac", "transcription": SAID, "text": SAID}
    row |= {"language": "en"}
    write_metadata(tmp_path, TRAIN, [row])
    (clip,) = read_clips(tmp_path, TRAIN)
    assert clip.text == SAID.strip()
    (judged,) = recognisers.read_clips(tmp_path, "en")
    assert judged.text == SAID
    (tmp_path / "train/manifest.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n")
    (found,) = find_recordings([tmp_path / "train"], [], "en", Accents({}))
    assert found.pieces[0].text == " ".join(SAID.split())


def test_a_table_is_read_whatever_is_said_in_it(tmp_path: Path) -> None:
    (tmp_path / "set.tsv").write_text("Grace\u2028and peace.\tGracia y paz.\n")
    found = read_set(f"sermon={tmp_path / 'set.tsv'}", LanguagePair("en", "es"))
    assert [row.source for row in found.rows] == ["Grace\u2028and peace."]
