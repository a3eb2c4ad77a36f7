"""A folder of clips with transcripts, as HuggingFace's `audiofolder` reads it.

    <folder>/train/metadata.jsonl            a clip a line, `file_name` from this folder on
    <folder>/train/<recording>/<clip>.flac   16 kHz mono, 16 bit
    <folder>/validation/...                  the same, of other speakers and sessions

The lines have what the collector's have (services.collector.audio_folder), and `accent`, `weight`,
`confidence`, `snr_db`, `start_ms` and `source_sha256`, of the recording's file, beside.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.collector.audio_folder import METADATA
from services.errors import InvalidInput
from training.run_folder import whole_file
from training.text_lines import WRONG_SHAPE, text_lines

TRAIN = "train"
VALIDATION = "validation"


@dataclass(frozen=True)
class Clip:
    """One clip to train on or to judge by.

    Args:
        weight: how often it is to be seen where others are seen once, 1 or more.
    """

    path: Path
    text: str
    language: str
    accent: str = ""
    weight: float = 1.0


def read_clips(folder: Path, split: str) -> list[Clip]:
    """The clips of a split; none where there is no such split.

    Raises:
        InvalidInput: CLIPS_DAMAGED, naming the line.
    """
    metadata = folder / split / METADATA
    if not metadata.is_file():
        return []
    try:
        lines = text_lines(metadata)
    except UnicodeDecodeError as error:
        raise InvalidInput("CLIPS_DAMAGED", f"{metadata} is no UTF-8 text: {error}") from error
    clips = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            clip = Clip(
                folder / split / row["file_name"],
                row["transcription"].strip(),
                row["language"],
                row.get("accent") or "",
                float(row.get("weight") or 1.0),
            )
            if not clip.text or not clip.path.is_file():
                raise ValueError("its text is empty, or its file is not there")
        except WRONG_SHAPE as error:
            raise InvalidInput(
                "CLIPS_DAMAGED", f"{metadata}, line {number}, is no clip: {error!r}"
            ) from error
        clips.append(clip)
    return clips


def write_metadata(folder: Path, split: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Puts a split's metadata.jsonl in its place in one step."""
    path = folder / split / METADATA
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as lines:
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")
