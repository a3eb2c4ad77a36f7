"""The recordings that clips are made from: files as they lie, with or without transcripts.

A folder holds recordings of any format, and perhaps a manifest.jsonl that says what is in them:

    {"file": "2026-01-04.mp3", "text": "...", "start_s": 12.5, "end_s": 19.0, "lang": "en",
     "speaker": "...", "accent": "..."}

Only `file` must be there; with `start_s` and `end_s`, several lines may be about one file. A
dataset of `./glossa queue snapshot --audio` is read too: a session is a recording, and its clips
have their transcripts.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.collector.audio_folder import METADATA, session_folder
from services.errors import InvalidInput
from training.text_lines import WRONG_SHAPE, text_lines

_MANIFEST = "manifest.jsonl"
_SOUND = frozenset(
    (".aac", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma")
)
_FILM = frozenset((".m4v", ".mkv", ".mov", ".mp4", ".webm"))
_SUFFIXES = _SOUND | _FILM


@dataclass(frozen=True)
class Piece:
    """A stretch of a file.

    Args:
        text: what is said in it; empty when nobody wrote it down.
        end_s: None for the end of the file.
        origin: what the collector says of it, for its line in metadata.jsonl.
    """

    path: Path
    text: str = ""
    start_s: float = 0.0
    end_s: float | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recording:
    """What is worked on, and taken up again, as one.

    Args:
        key: its name below the folder of clips.
        group: what is never parted between training and validation: a speaker, a session, itself.
        accent: as it was told; empty when it was not.
    """

    key: str
    group: str
    language: str
    accent: str
    pieces: tuple[Piece, ...]


class Accents:
    """Who speaks how.

    Args:
        folders: the accent of everything in a folder or below it; the nearest counts.
        table: a CSV file with the columns `file` and `accent`, files as seen from its own folder;
            it counts before the folders.

    Raises:
        InvalidInput: BAD_ACCENTS.
    """

    def __init__(self, folders: Mapping[Path, str], table: Path | None = None) -> None:
        self._of = {path.resolve(): accent for path, accent in folders.items()}
        for path in self._of:
            if not path.exists():
                raise InvalidInput("BAD_ACCENTS", f"--accent names {path}, which is not there")
        if table is None:
            return
        try:
            with table.open(encoding="utf-8-sig", newline="") as file:
                for row in csv.DictReader(file):
                    self._of[(table.parent / row["file"]).resolve()] = row["accent"].strip()
        except (csv.Error, *WRONG_SHAPE) as e:
            raise InvalidInput(
                "BAD_ACCENTS",
                f"{table} is no table of accents: its first line must be file,accent ({e!r})",
            ) from e

    def of(self, path: Path) -> str:
        path = path.resolve()
        return next((self._of[at] for at in (path, *path.parents) if at in self._of), "")


def find_recordings(
    sources: Iterable[Path], datasets: Iterable[Path], language: str, accents: Accents
) -> list[Recording]:
    """The recordings of one language in files, folders and datasets, in a fixed order.

    Raises:
        InvalidInput: NO_RECORDINGS, BAD_MANIFEST.
    """
    found: list[Recording] = []
    for source in sources:
        manifest = source / _MANIFEST
        if manifest.is_file():
            found += _listed(manifest, language, accents)
        elif source.is_file():
            found.append(_unlisted(source, source.name, language, accents))
        else:
            paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in _SUFFIXES)
            found += [
                _unlisted(path, str(path.relative_to(source)), language, accents) for path in paths
            ]
    for dataset in datasets:
        found += _collected(dataset, language, accents)
    if not found:
        raise InvalidInput(
            "NO_RECORDINGS",
            f"no recordings in {language!r} were found; --recordings takes files and folders of "
            f"{', '.join(sorted(_SUFFIXES))}",
        )
    return _with_names_of_their_own(found)


def _unlisted(path: Path, name: str, language: str, accents: Accents) -> Recording:
    key = session_folder(name)
    return Recording(key, key, language, accents.of(path), (Piece(path),))


def _listed(manifest: Path, language: str, accents: Accents) -> list[Recording]:
    folder = manifest.parent
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(manifest, "file"):
        if row.get("lang", language) == language:
            rows.setdefault(row["file"], []).append(row)
    found = []
    for name, of_file in rows.items():
        path = folder / name
        try:
            is_there = path.is_file()
        except OSError:  # longer than a file's name can be
            is_there = False
        if not is_there:
            raise InvalidInput("BAD_MANIFEST", f"{manifest} names {path}, which is not there")
        try:
            pieces = tuple(
                Piece(
                    path,
                    " ".join(str(row.get("text") or "").split()),
                    float(row.get("start_s") or 0.0),
                    float(row["end_s"]) if row.get("end_s") is not None else None,
                )
                for row in of_file
            )
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidInput(
                "BAD_MANIFEST", f"{manifest}: start_s or end_s of {name} is no number of seconds"
            ) from error
        key, first = session_folder(name), of_file[0]
        accent = first.get("accent") or accents.of(path)
        found.append(Recording(key, first.get("speaker") or key, language, accent, pieces))
    return found


def _collected(dataset: Path, language: str, accents: Accents) -> list[Recording]:
    folder = dataset / "audio" / language / "train"
    if not (folder / METADATA).is_file():
        raise InvalidInput(
            "NO_RECORDINGS",
            f"{dataset} holds no clips in {language!r}; ./glossa queue snapshot --audio makes them",
        )
    sessions: dict[str, list[Piece]] = {}
    for row in _rows(folder / METADATA, "file_name", "transcription", "session_id"):
        piece = Piece(folder / row["file_name"], row["transcription"], origin=row)
        sessions.setdefault(row["session_id"], []).append(piece)
    return [
        Recording(session_folder(name), name, language, accents.of(dataset), tuple(pieces))
        for name, pieces in sessions.items()
    ]


def _with_names_of_their_own(found: Sequence[Recording]) -> list[Recording]:
    name, count = Counter(recording.key for recording in found).most_common(1)[0]
    if count > 1:
        raise InvalidInput(
            "NO_RECORDINGS",
            f"{count} recordings are called {name}; give the folder above all of theirs, so that "
            "their names tell them apart",
        )
    return list(found)


def _rows(path: Path, *needed: str) -> list[dict[str, Any]]:
    try:
        lines = text_lines(path)
    except UnicodeDecodeError as error:
        raise InvalidInput("BAD_MANIFEST", f"{path} is no UTF-8 text: {error}") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = dict(json.loads(line))
            for name in needed:
                if not isinstance(row[name], str):
                    raise TypeError(name)
        except WRONG_SHAPE as error:
            raise InvalidInput(
                "BAD_MANIFEST",
                f"{path}, line {number}: not a JSON object with {', '.join(needed)}",
            ) from error
        rows.append(row)
    return rows
