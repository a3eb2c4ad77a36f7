"""What training is given as files: cases, clips, recordings and who speaks them, as bytes."""

from __future__ import annotations

from pathlib import Path

from services.mt.engine import LanguagePair
from tests.fuzz.parser import Parser, of_file
from training.clips.folder import METADATA, read_clips
from training.clips.recordings import Accents, find_recordings
from training.evaluation.edge_cases import read_cases
from training.noise import read_reviewed

_CASE = (
    b'{"kind": "names", "case": "a", "source": "Peter said it.", "source_language": "en", '
    b'"target_language": "es", "must": {"holds": ["Pedro"]}}\n'
)


def _clips(path: Path) -> None:
    (path.parent / "train").mkdir()
    path.rename(path.parent / "train" / METADATA)
    (path.parent / "train" / "a.wav").touch()
    for clip in read_clips(path.parent, "train"):
        assert clip.text.strip()


def _recordings(path: Path) -> None:
    """A manifest beside one recording."""
    (path.parent / "a.wav").touch()
    for recording in find_recordings((path.parent,), (), "en", Accents({})):
        assert all(piece.path.is_file() for piece in recording.pieces)


def _accents(path: Path) -> None:
    Accents({path.parent: "cork"}, path).of(path.parent / "a.wav")


TRAINING_PARSERS = (
    Parser(
        "edge cases",
        of_file(lambda path: read_cases(path, LanguagePair("en", "es"))),
        seeds=(_CASE * 2,),
    ),
    Parser(
        "clips",
        of_file(_clips),
        seeds=(
            b'{"file_name": "a.wav", "transcription": "amen", "language": "en", "accent": "cork", '
            b'"weight": 0.5}\n',
        ),
    ),
    Parser(
        "recordings",
        of_file(_recordings, "manifest.jsonl"),
        seeds=(
            b'{"file": "a.wav", "lang": "en", "text": "amen", "start_s": 0.5, "end_s": 2, '
            b'"speaker": "s", "accent": "cork"}\n',
        ),
    ),
    Parser("accents", of_file(_accents), seeds=(b"file,accent\na.wav,cork\n",)),
    Parser(
        "reviewed pairs",
        of_file(lambda path: list(read_reviewed(path))),
        seeds=(
            b'{"decision": "fixed", "source_language": "en", "target_language": "es", "en": "Amen'
            b'.", "es": "Am\xc3\xa9n.", "original_source_text": "A man.", "session_id": "s"}\n',
        ),
    ),
)
