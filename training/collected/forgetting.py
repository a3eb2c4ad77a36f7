"""Takes a session out of what the jobs of training keep: mixes, judges, evaluations and clips.

A folder of a run, a cycle or a version holds texts of sessions in

    *.jsonl                            rows, sentences and clips, a line each that names its session
    evaluation.json, evaluation.html   the sentences to read first, and what was heard in clips
    recordings/*.json, */<recording>/  what training.audio made of a recording

What is taken out is noted where the folder says what it is, and in run.json of whatever read it,
under "forgotten". The notes come first, then each file is replaced in one step: cut short, it is
finished by asking again, and noted once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote

from services.collector.audio_folder import METADATA
from services.collector.snapshot import MANIFEST as DATASET
from training.run_folder import FORGOTTEN, fingerprint, held_alone, whole_file, write_json
from training.run_folder import MANIFEST as RUN

CYCLE, VERSION = "cycle.json", "version.json"
EVALUATION, PAGE = "evaluation.json", "evaluation.html"
_REPORTS, _PENDING = "recordings", ".pending"
# Model files alone: large, and none of them holds a text of its own.
_LEFT_OUT = {"models", "checkpoints", "tensorboard"}
# The jobs that write down what they have read.
_WRITERS = {"mix", "noise", "audio", "evaluate", "distill sentences", "distill logits"}


@dataclass
class Forgotten:
    """What became of it.

    Args:
        row_count: rows, sentences and clips that were taken out.
        files: which held them.
        learned: folders of runs that had read them, trained models among them.
        busy: folders of runs that are under way, and were left alone.
    """

    row_count: int = 0
    files: list[Path] = field(default_factory=list)
    learned: list[Path] = field(default_factory=list)
    busy: list[Path] = field(default_factory=list)


def forget(session_id: str, roots: Sequence[Path]) -> Forgotten:
    """Takes a session out of every folder of a job below `roots`."""
    erasing = _Erasing(session_id, [each for root in roots for each in _folders(root)])
    for folder in erasing.folders:
        with held_alone(folder.path) as is_alone:
            if is_alone or _read(folder.manifest).get("job") not in _WRITERS:
                erasing.erase(folder)
            else:
                erasing.forgotten.busy.append(folder.path)
    return erasing.forgotten


@dataclass(frozen=True)
class _Folder:
    """A folder that says what it is.

    Args:
        manifest: the file that does.
        files: all below it but those of folders in it that say so themselves.
    """

    path: Path
    manifest: Path
    files: tuple[Path, ...]


class _Erasing:
    def __init__(self, session_id: str, folders: Sequence[_Folder]) -> None:
        self.folders = folders
        self.forgotten = Forgotten()
        self._session_id = session_id
        self._at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def erase(self, folder: _Folder) -> None:
        for file in folder.files:
            if file.suffix == ".jsonl":
                self._lines(folder, file)
            elif file.name == EVALUATION:
                self._evaluation(folder, file)
            elif file.parent.name == _REPORTS and file.suffix == ".json":
                self._report(file)
            elif file.name.endswith(".jsonl.new") and self._is_in(file):
                file.unlink()  # what a killed job had not put in its place
        for recording in (folder.path / _PENDING).glob("*"):
            if self._is_named(recording.name):
                shutil.rmtree(recording)

    def _lines(self, folder: _Folder, file: Path) -> None:
        if not self._is_in(file):
            return
        kept: list[bytes] = []
        rows: list[dict[str, Any]] = []
        with file.open("rb") as lines:
            for line in lines:
                row = self._row_of_it(line)
                if row is None:
                    kept.append(line)
                else:
                    rows.append(row)
        if not rows:
            return
        content = b"".join(kept)
        self._note(folder, file, len(rows), content)
        if file.name == METADATA:
            for name in (row["file_name"] for row in rows if "file_name" in row):
                (file.parent / name).unlink(missing_ok=True)
        if content or file.name != METADATA:
            with whole_file(file) as replaced:
                replaced.write(content)
        else:  # sound without rows is no folder of clips
            file.unlink()

    def _evaluation(self, folder: _Folder, file: Path) -> None:
        if not self._is_in(file):
            return
        evaluation = _read(file)
        lists = [*evaluation.get("to_read", {}).items()]
        kept = {name: self._without(found) for name, found in lists}
        gone = sum(len(found) - len(kept[name]) for name, found in lists)
        if kept:
            evaluation["to_read"] = kept
        if "heard" in evaluation.get("recognition", {}):
            heard = evaluation["recognition"]["heard"]
            evaluation["recognition"]["heard"] = self._without(heard)
            gone += len(heard) - len(evaluation["recognition"]["heard"])
        if not gone:
            return
        content = json.dumps(evaluation, ensure_ascii=False, indent=2) + "\n"
        self._note(folder, file, gone, content.encode())
        if (file.parent / PAGE).exists():
            from training.evaluation.page import page

            with whole_file(file.parent / PAGE) as replaced:
                replaced.write(page(evaluation).encode())
        with whole_file(file) as replaced:  # last: as long as it names the session, both are made
            replaced.write(content.encode())

    def _report(self, file: Path) -> None:
        clips = _read(file).get("clips", ())
        if self._is_named(file.stem) or any(map(self._is_of_it, clips)):
            file.unlink()
            self.forgotten.files.append(file)

    def _note(self, folder: _Folder, file: Path, count: int, content: bytes) -> None:
        """Says, before it is done, what is taken out of a file, also to those who read it."""
        name = file.relative_to(folder.path).as_posix()
        told = {"at": self._at, "rows": count, "sha256_before": fingerprint(file)}
        note = {"file": name, **told, "sha256": hashlib.sha256(content).hexdigest()}
        if file.name == METADATA:  # clips are read as a folder
            note["folders_before"] = [fingerprint(each) for each in (file.parent, folder.path)]
        _add_note(folder.manifest, note)
        read_as: set[str] = set()
        for each in (note, *_read(folder.manifest).get(FORGOTTEN, ())):
            if each.get("file") == name:
                read_as |= {each["sha256_before"], *each.get("folders_before", ())}
        for reader in self.folders:
            inputs = _read(reader.manifest).get("inputs", {})
            for read in (read for read, sha256 in inputs.items() if sha256 in read_as):
                _add_note(reader.manifest, {"input": read, **told})
                if reader.path not in self.forgotten.learned:
                    self.forgotten.learned.append(reader.path)
        self.forgotten.row_count += count
        self.forgotten.files.append(file)

    def _without(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        return [row for row in rows if not self._is_of_it(row)]

    def _row_of_it(self, line: bytes) -> dict[str, Any] | None:
        try:
            row = json.loads(line)
        except ValueError:  # a line that was cut off
            return {} if self._session_id.encode() in line else None
        return row if isinstance(row, dict) and self._is_of_it(row) else None

    def _is_of_it(self, row: Mapping[str, Any]) -> bool:
        recording = str(row.get("file_name", "")).partition("/")[0]
        return any(map(self._is_named, (row.get("group"), row.get("session_id"), recording)))

    def _is_named(self, name: object) -> bool:
        """Whether it is the session, or a recording that is called like it."""
        path = PurePath(unquote(str(name)))
        return self._session_id in (name, path.name, path.stem)

    def _is_in(self, file: Path) -> bool:
        """Whether a file may name the session."""
        with file.open("rb") as lines:
            return any(self._session_id.encode() in line for line in lines)


def _folders(root: Path) -> Iterator[_Folder]:
    """Those below `root` that say what they are, each with the files that are its own."""
    owners: dict[Path, Path] = {}
    found: dict[Path, list[Path]] = {}
    for name, inner, files in os.walk(root):
        path = Path(name)
        inner[:] = [each for each in inner if each not in _LEFT_OUT]
        if DATASET in files:  # datasets are forgotten in by themselves
            inner.clear()
            continue
        manifest = next((path / each for each in (RUN, CYCLE, VERSION) if each in files), None)
        owner = manifest or owners.get(path.parent)
        if owner is not None:
            owners[path] = owner
            found.setdefault(owner, []).extend(path / each for each in files)
    for manifest, files_of in sorted(found.items()):
        # Reports of recordings behind the clips: the clips' folder is noted as it was read.
        ordered = sorted(files_of, key=lambda path: (path.parent.name == _REPORTS, path))
        yield _Folder(manifest.parent, manifest, tuple(ordered))


def _add_note(manifest: Path, note: Mapping[str, Any]) -> None:
    """Adds to a manifest what was taken out, unless it says so already."""
    content = _read(manifest)
    if not content:
        return  # it is damaged; the texts go all the same
    known = content.setdefault(FORGOTTEN, [])
    what = [note.get(name) for name in ("file", "input", "sha256_before")]
    if all([old.get(name) for name in ("file", "input", "sha256_before")] != what for old in known):
        known.append(dict(note))
        write_json(manifest, content)


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; an empty one where there is none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
