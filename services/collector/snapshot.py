"""A dataset on the disk that never changes but by forgetting, with a manifest that proves it.

    <folder>/manifest.json
    <folder>/<source>-<target>/pairs.jsonl         a row a line
    <folder>/<source>-<target>.<split>/pairs.jsonl what a trainer judges with, see training/
    <folder>/audio/<source>/train/...              with audio: see audio_folder.py

It is written beside its place and renamed when it is whole. docs/datasets.md has every field.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.collector.audio_folder import METADATA, session_folder
from services.collector.candidate import Candidate
from services.collector.row import Row
from services.errors import InvalidInput, WrongState
from services.file_lock import locked_within

SCHEMA = "glossa-dataset"
SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
PAIRS = "pairs.jsonl"
# A year of sermons with their audio is written in minutes.
_HELD_TIMEOUT_S = 600.0


@contextlib.contextmanager
def being_written(out: Path) -> Iterator[Path]:
    """A folder to write the dataset to; at the end it becomes `out`, or is gone when that failed.

    Raises:
        WrongState: FOLDER_EXISTS, or FOLDER_BUSY.
        InvalidInput: FOLDER_UNUSABLE.
    """
    if out.exists():
        raise WrongState(
            "FOLDER_EXISTS", f"{out} exists and a dataset never changes; name another folder"
        )
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with contextlib.suppress(FileNotFoundError), _held(part):
            shutil.rmtree(part)  # of a dead process with this id: in a container all have the same
        part.mkdir(parents=True)
        with _held(part):  # so that forgetting waits for it
            try:
                yield part
                for folder, _, files in os.walk(part):
                    for name in files:
                        _sync(Path(folder, name))
                    _sync(Path(folder))
                part.rename(out)
                for above in (out.parent, out.parent.parent):  # which may be new, too
                    _sync(above)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise InvalidInput(
            "FOLDER_UNUSABLE", f"cannot write {out}: {error.strerror or error}"
        ) from error


def write_pairs(
    folder: Path, languages: tuple[str, str], rows: Iterable[Row], split: str = ""
) -> None:
    """Writes the rows of one language pair; `split`: "dev" or "test", not to be trained on."""
    path = folder / ".".join(filter(None, ["-".join(languages), split])) / PAIRS
    path.parent.mkdir()
    _write_lines(path, (_as_object(row, languages) for row in rows))


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Writes and returns the manifest: `facts`, and what is counted and hashed here."""
    files = {
        str(path.relative_to(folder)): _fingerprint(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        **facts,
        "counts": _counts(folder),
        "forgotten_session_count": 0,
        "files": files,
    }
    _replace(folder / MANIFEST, [json.dumps(manifest, ensure_ascii=False, indent=2)])
    return manifest


def check(folder: Path) -> dict[str, Any]:
    """The manifest of a dataset whose every file is there and as it was written.

    Raises:
        InvalidInput: NOT_A_DATASET, or another version of the schema.
        WrongState: DATASET_DAMAGED, naming the first file that is missing, changed or too many.
    """
    try:
        manifest = read_manifest(folder / MANIFEST)
    except ValueError:
        manifest = None
    if manifest is None:
        raise InvalidInput("NOT_A_DATASET", f"{folder} has no {MANIFEST} of a dataset")
    if manifest["schema_version"] != SCHEMA_VERSION:
        raise InvalidInput(
            "NOT_A_DATASET",
            f"{folder} has version {manifest['schema_version']} of the schema; this is version "
            f"{SCHEMA_VERSION}",
        )
    found = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path != folder / MANIFEST
    }
    for name in sorted(found ^ manifest["files"].keys()):
        problem = "does not belong to it" if name in found else "is missing"
        raise WrongState("DATASET_DAMAGED", f"{folder}: {name} {problem}; make a new dataset")
    for name, expected in manifest["files"].items():
        if _fingerprint(folder / name) != expected:
            raise WrongState("DATASET_DAMAGED", f"{folder}: {name} has changed; make a new dataset")
    return manifest


def forget_session(folder: Path, session_id: str) -> int:
    """Deletes a session's rows and audio from every dataset below a folder.

    A dataset that is being written is waited for; what a broken run left is deleted. Each file is
    replaced in one step, the manifest last: cut short, it is finished by asking again.

    Returns:
        Rows deleted, of text and of audio; 0 where the session is in no dataset.

    Raises:
        WrongState: FOLDER_BUSY: somebody writes one for longer than is waited. DATASET_DAMAGED: a
            manifest cannot be read, so nobody knows what is in there. The session is gone from all
            the others.
    """
    busy = []
    for part in sorted(folder.rglob(".*.part")):
        if part.is_dir():
            try:
                with contextlib.suppress(FileNotFoundError), _held(part):
                    shutil.rmtree(part, ignore_errors=True)  # nobody holds it: it is debris
            except WrongState:
                busy.append(str(part))
    deleted = 0
    unreadable = []
    for path in sorted(folder.rglob(MANIFEST)):
        if str(path.parent) in busy:
            continue
        try:
            with _held(path.parent):  # two that forget at once would bring each other's rows back
                deleted += _forget(path.parent, session_id)
        except ValueError:
            unreadable.append(str(path))
        except WrongState:
            busy.append(str(path.parent))
    if unreadable:
        raise WrongState(
            "DATASET_DAMAGED",
            f"cannot read {', '.join(unreadable)}, and so not say whether session {session_id} is "
            "in there; delete that dataset",
        )
    if busy:
        raise WrongState(
            "FOLDER_BUSY",
            f"something has been writing {', '.join(busy)} for {_HELD_TIMEOUT_S / 60:g} minutes, "
            f"and session {session_id} may be in there; wait until it is done, and forget it again",
        )
    return deleted


def _forget(folder: Path, session_id: str) -> int:
    """Rows deleted from one dataset. Raises ValueError when its manifest is no JSON."""
    manifest_path = folder / MANIFEST
    manifest = read_manifest(manifest_path)
    if manifest is None or not any(session_id in each for each in _by_session(manifest)):
        return 0
    for clips in folder.glob(f"audio/*/train/{session_folder(session_id)}"):
        shutil.rmtree(clips)
    row_files = _row_files(folder)
    deleted = sum(_filter(path, session_id) for path in row_files)
    # As well after a run that was cut short: its files are gone already, or not hashed again yet.
    own = {str(path.relative_to(folder)) for path in row_files}
    manifest["files"] = {
        name: _fingerprint(folder / name) if name in own else fingerprint
        for name, fingerprint in manifest["files"].items()
        if (folder / name).exists() or not _may_go(name, session_id)
    }
    manifest["forgotten_session_count"] += 1
    for sessions in _by_session(manifest):
        sessions.pop(session_id, None)
    manifest["counts"] = _counts(folder)
    _replace(manifest_path, [json.dumps(manifest, ensure_ascii=False, indent=2)])
    return deleted


def _by_session(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a manifest tells session by session; training/snapshot.py tells the last two."""
    return [
        manifest["counts"]["sessions"],
        *manifest.get("audio", {}).get("skipped", {}).values(),
        manifest.get("splits", {}),
        *manifest.get("dropped", {}).values(),
    ]


def _row_files(folder: Path) -> list[Path]:
    return sorted([*folder.glob(f"*/{PAIRS}"), *folder.glob(f"audio/*/train/{METADATA}")])


def _may_go(name: str, session_id: str) -> bool:
    """Whether forgetting a session may take this file of a dataset away."""
    path = Path(name)
    return path.name == METADATA or path.parent.name == session_folder(session_id)


def _filter(path: Path, session_id: str) -> int:
    """Rewrites a file of rows without those of a session; how many those were.

    Audio without rows is no audio folder: its file goes with the last one.
    """
    rows = list(read_rows(path))
    kept = [row for row in rows if row["session_id"] != session_id]
    if not kept and path.name == METADATA:
        path.unlink()
    elif len(kept) < len(rows):
        _replace(path, map(_line, kept))
    return len(rows) - len(kept)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a pairs.jsonl or metadata.jsonl."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _as_object(row: Row, languages: tuple[str, str]) -> dict[str, Any]:
    source_language, target_language = languages
    candidate = row.candidate
    return {
        source_language: row.source_text,
        target_language: row.target_text,
        "source_language": source_language,
        "target_language": target_language,
        "tier": row.tier.value,
        "weight": round(row.weight, 6),
        "cluster_id": row.cluster,
        **_of_candidate(candidate),
    }


def _of_candidate(candidate: Candidate | None) -> dict[str, Any]:
    """What is known of a collected pair; everything is None for a row of everyday language."""
    names = (
        *("pair_id", "session_id", "segment_id", "band", "quality_score", "stt_confidence"),
        *("translation_qe", "marian_agreement", "stt_model", "mt_model"),
        *("start_offset_ms", "end_offset_ms", "sequence", "decision"),
    )
    return {name: candidate and getattr(candidate, name) for name in names}


def _counts(folder: Path) -> dict[str, Any]:
    """Rows by tier, band, session and language pair; clips. Counted in the files themselves."""
    tiers: Counter[str] = Counter()
    bands: Counter[str] = Counter()
    sessions: Counter[str] = Counter()
    pairs: dict[str, Counter[str]] = {}
    for path in sorted(folder.glob(f"*/{PAIRS}")):
        of_pair = pairs.setdefault(path.parent.name, Counter())
        for row in read_rows(path):
            of_pair[row["tier"]] += 1
            if row["band"] is not None:
                bands[row["band"]] += 1
                sessions[row["session_id"]] += 1
        tiers.update(of_pair)
    return {
        "rows": tiers.total(),
        "tiers": dict(tiers),
        "bands": dict(bands),
        "language_pairs": {name: dict(of_pair) for name, of_pair in pairs.items()},
        "sessions": dict(sorted(sessions.items())),
        "clips": sum(
            1 for path in folder.glob(f"audio/*/train/{METADATA}") for _ in read_rows(path)
        ),
    }


def read_manifest(path: Path) -> dict[str, Any] | None:
    """The manifest; None when there is none of a dataset. Raises ValueError for what is no JSON."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return manifest if isinstance(manifest, dict) and manifest.get("schema") == SCHEMA else None


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": sha256, "size_bytes": path.stat().st_size}


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False)


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(_line(row) + "\n")


def _replace(path: Path, lines: Iterable[str]) -> None:
    """Puts a file in the place of another in one step, and only once it is safe on the disk."""
    part = path.with_name(f".{path.name}.new")
    part.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Holds a folder alone, waiting for whoever holds it now.

    Raises:
        WrongState: FOLDER_BUSY.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if not locked_within(descriptor, _HELD_TIMEOUT_S):
            raise WrongState(
                "FOLDER_BUSY",
                f"something has been writing {folder} for {_HELD_TIMEOUT_S / 60:g} minutes; "
                "wait until it is done, and try again",
            )
        yield
    finally:
        os.close(descriptor)
