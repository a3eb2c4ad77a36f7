"""What a model's files are to be: glossa-manifest.json in its folder, with sizes and SHA-256."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

MANIFEST = "glossa-manifest.json"
_KNOWN_HASHES = ".glossa-hashes.json"
_BLOCK_BYTES = 4 * 1024 * 1024
# Hashes are kept from this many bytes on: fewer are read again in less than a second.
_KEPT_FROM_BYTES = 256 * 1024 * 1024
# What people put beside a model and nothing loads.
_NOTES = (".md", ".png", ".jpg")


@dataclass(frozen=True)
class KeptFile:
    """What a file is to be."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Where a model came from and what its files are.

    Args:
        revision: the hub's commit; empty for a copy that was brought in.
        files: by their path in the folder.
        lineage: of a model that training exported: what it was made of; empty for others.
    """

    name: str
    repo: str
    revision: str
    licence: str
    files: dict[str, KeptFile] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(kept.bytes for kept in self.files.values())


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a model's folder; None when it has none, or one that cannot be read.

    One that names a file outside the folder counts as one that cannot be read.
    """
    try:
        return _manifest(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _manifest(said: dict[str, Any]) -> Manifest:
    """Raises ValueError, TypeError, KeyError, AttributeError for what is no manifest."""
    files = {path: KeptFile(**kept) for path, kept in said.pop("files").items()}
    manifest = Manifest(**said, files=files)
    texts = (manifest.name, manifest.repo, manifest.revision, manifest.licence)
    if not all(isinstance(text, str) for text in texts) or not isinstance(manifest.lineage, dict):
        raise TypeError("a field has another type")
    for path, kept in files.items():
        if type(kept.bytes) is not int or kept.bytes < 0 or not isinstance(kept.sha256, str):
            raise TypeError(f"{path} has no size or no hash")
        if not is_inside(path):
            raise ValueError(f"{path} lies outside the model's folder")
    return manifest


def is_inside(name: str) -> bool:
    """Whether a file's name from elsewhere stays in the folder that it is put in."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and not {"..", "\0"} & {*path.parts, *name}


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file of a model with its path in the folder; not the manifest, nothing hidden."""
    for path in sorted(folder.rglob("*")):
        within = path.relative_to(folder)
        if path.is_file() and path.name != MANIFEST and not within.parts[0].startswith("."):
            yield within.as_posix(), path


def sha256_of(path: Path, told: Callable[[int], None] = lambda count: None) -> str:
    """The hash in hexadecimal; `told` gets the bytes read since its last call."""
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while block := opened.read(_BLOCK_BYTES):
            digest.update(block)
            told(len(block))
    return digest.hexdigest()


def damages(
    folder: Path,
    manifest: Manifest,
    told: Callable[[int], None] = lambda count: None,
    known: KnownHashes | None = None,
) -> list[str]:
    """What is wrong with each file that is not as the manifest says, by its name.

    Args:
        known: hashes that need not be computed again; what is computed is added to it.
    """
    known = known or KnownHashes()
    found = []
    for name, kept in manifest.files.items():
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif path.stat().st_size != kept.bytes:
            found.append(f"{name} has {path.stat().st_size} bytes instead of {kept.bytes}")
        elif known.of(name, path, told) != kept.sha256:
            found.append(f"{name} is damaged: its SHA-256 is another")
    return found


def unlisted(folder: Path, manifest: Manifest) -> list[str]:
    """Files that the manifest does not name, though a library might load them."""
    return [
        name
        for name, path in files_of(folder)
        if name not in manifest.files
        and path.suffix.lower() not in _NOTES
        and not path.name.startswith(("LICENSE", "."))
    ]


class KnownHashes:
    """Hashes by what the file system says of a file, so that a restart reads no gigabytes again.

    Every write changes a file's ctime, which no program sets. Who can write into the folder can
    also write the manifest: this file has to be trusted no more than that one.
    """

    def __init__(self, entries: dict[str, list[int | str]] | None = None) -> None:
        self._entries = entries or {}
        self._bytes = 0  # that were read

    @classmethod
    def read(cls, folder: Path) -> KnownHashes:
        """Those kept in `folder`; none when there are none, or none that can be read."""
        try:
            entries = json.loads((folder / _KNOWN_HASHES).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return cls()
        return cls(entries if isinstance(entries, dict) else None)

    def of(self, name: str, path: Path, told: Callable[[int], None]) -> str:
        """The SHA-256 of a file, computed only when it is not the one that was seen before."""
        before = path.stat()
        seen = [before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns]
        entry = self._entries.get(name)
        if isinstance(entry, list) and entry[:-1] == seen:
            told(before.st_size)
            return str(entry[-1])
        sha256 = sha256_of(path, told)
        self._entries[name] = [*seen, sha256]
        self._bytes += before.st_size
        return sha256

    def write(self, folder: Path) -> None:
        """Keeps those of a large model in `folder`, where that can be written to."""
        if self._bytes < _KEPT_FROM_BYTES:
            return
        unfinished = folder / f"{_KNOWN_HASHES}.{os.getpid()}"
        with contextlib.suppress(OSError):
            unfinished.write_text(json.dumps(self._entries) + "\n", encoding="utf-8")
            unfinished.replace(folder / _KNOWN_HASHES)
