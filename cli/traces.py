"""What can still be read of a text in the raw bytes of files, however they are made."""

from __future__ import annotations

import contextlib
import html
import json
import mmap
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

_TRACES_LIMIT = 12
# A database may break a long text in two where a page ends: a short piece of several texts is
# looked for, long enough to stand nowhere by chance.
_SHORTEST_CHARACTERS = 16
_LONGEST_CHARACTERS = 40
_SOUND_BYTES = 256
_SOUND_VALUES = 17  # samples that differ: silence with a little noise has fewer


def telling_pieces(texts: Iterable[str], others: Iterable[str]) -> list[str]:
    """Pieces of some of `texts` that stand in none of `others`, of the longest texts first."""
    elsewhere = "\n".join(others)
    pieces = []
    for text in sorted(set(texts), key=len, reverse=True):
        start = max(0, (len(text) - _LONGEST_CHARACTERS) // 2)
        piece = text[start : start + _LONGEST_CHARACTERS].strip()
        if len(piece) >= _SHORTEST_CHARACTERS and piece not in elsewhere:
            pieces.append(piece)
        if len(pieces) == _TRACES_LIMIT:
            break
    return pieces


def written_forms(piece: str) -> set[bytes]:
    """The bytes of a text as files hold it: plain, in JSON, in JSON without accents, in HTML."""
    return {
        piece.encode(),
        json.dumps(piece, ensure_ascii=False)[1:-1].encode(),
        json.dumps(piece)[1:-1].encode(),
        html.escape(piece).encode(),
    }


def piece_of_sound(pcm: bytes) -> bytes:
    """The piece of 16-bit samples with the most values; empty where all of it is silent."""
    pieces = (
        pcm[start : start + _SOUND_BYTES]
        for start in range(0, len(pcm) - _SOUND_BYTES + 1, _SOUND_BYTES)
    )
    piece = max(pieces, key=_value_count, default=b"")
    return piece if _value_count(piece) >= _SOUND_VALUES else b""


def _value_count(pcm: bytes) -> int:
    return len(set(memoryview(pcm).cast("h")))


def files_with(
    needles: Sequence[bytes], folder: Path, left_out: Collection[Path] = ()
) -> list[Path]:
    """Files below a folder in which one of `needles` stands; folders of `left_out` are passed over.

    Raises:
        OSError: a file could not be looked into; one that is deleted meanwhile holds nothing.
    """
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(path.is_relative_to(each) for each in left_out)
        and found_in(needles, [path])
    ]


def found_in(needles: Sequence[bytes], paths: Iterable[Path]) -> set[bytes]:
    """Those of `needles` that stand in one of the files.

    Raises:
        OSError: a file could not be looked into; one that is deleted meanwhile holds nothing.
    """
    found: set[bytes] = set()
    for path in paths:
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            found |= _found(needles, file)
    return found


def _found(needles: Sequence[bytes], file: BinaryIO) -> set[bytes]:
    try:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:  # it is empty
        return set()
    with content:
        return {needle for needle in needles if content.find(needle) >= 0}
