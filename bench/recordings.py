"""Recordings with what is said in them: a folder with manifest.jsonl, or files beside .txt files.

A line of manifest.jsonl is {"file": ..., "text": ..., "lang": ..., "translations": {"es": ...}};
`lang` and `translations` may be missing. The sample sermon stands in when no folder is given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.spoken import SAMPLE_TEXT, speak
from services.errors import InvalidInput

_SUFFIXES = (".flac", ".wav", ".mp3", ".ogg", ".opus", ".m4a")


@dataclass(frozen=True)
class Recording:
    """One recording; an empty `text` means that nobody wrote down what is said in it."""

    path: Path
    text: str = ""
    translations: Mapping[str, str] = field(default_factory=dict)


def read_recordings(folder: Path, language: str, limit: int | None = None) -> list[Recording]:
    """The recordings of a folder in one language, in order.

    Raises:
        InvalidInput: NO_RECORDINGS, BAD_MANIFEST.
    """
    manifest = folder / "manifest.jsonl"
    if folder.is_file():
        found = [_beside_its_text(folder)]
    elif manifest.is_file():
        found = [
            Recording(folder / row["file"], row.get("text", ""), row.get("translations", {}))
            for row in _rows(manifest)
            if row.get("lang", language) == language
        ]
    else:
        paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in _SUFFIXES)
        found = [_beside_its_text(path) for path in paths]
    missing = [recording.path for recording in found if not recording.path.is_file()]
    if missing:
        raise InvalidInput("BAD_MANIFEST", f"{manifest} names {missing[0]}, which is not there")
    if not found:
        raise InvalidInput(
            "NO_RECORDINGS",
            f"{folder} holds no recordings in {language!r}: {', '.join(_SUFFIXES)} files, with "
            "manifest.jsonl or a .txt of the same name that says what is spoken",
        )
    return found[:limit]


async def sample_recording(folder: Path) -> Recording:
    """The sample sermon, spoken by flite into `folder`."""
    text = SAMPLE_TEXT.read_text(encoding="utf-8")
    path = folder / "sample.wav"
    await speak(text, path)
    return Recording(path, " ".join(text.split()))


def _rows(manifest: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(manifest.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            row["file"]
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(
                "BAD_MANIFEST", f'{manifest}, line {number}: not a JSON object with a "file"'
            ) from error
        rows.append(row)
    return rows


def _beside_its_text(path: Path) -> Recording:
    text_path = path.with_suffix(".txt")
    text = text_path.read_text(encoding="utf-8") if text_path.is_file() else ""
    return Recording(path, " ".join(text.split()))
