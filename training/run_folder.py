"""A run of a job: its folder, and the manifest in it that says what was done with what.

    <out>/run.json        the manifest: job, options, seed, inputs with hashes, versions, metrics
    <out>/tensorboard/    curves, where the job draws some

The manifest is written when the run begins, at each step worth keeping, and when it ends, each time
in one step: a killed run says "running", and whoever resumes it reads on what. Under "forgotten" it
has what was taken out since then, of the folder or of what the run read (training.forget).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from services.errors import InvalidInput, WrongState
from training.interruption import whole

MANIFEST = "run.json"
FORGOTTEN = "forgotten"
SCHEMA = "glossa-run"
_REPOSITORY = Path(__file__).resolve().parent.parent
_LIBRARIES = (
    *("torch", "transformers", "peft", "trl", "accelerate", "datasets", "bitsandbytes"),
    *("ctranslate2", "sentencepiece", "sacrebleu", "numpy", "pocketsphinx"),
)


class RunFolder:
    """A run under way; a context manager that notes how it ended.

    Args:
        out: its folder; made, unless `resumes` and it is there.
        job: the job's name, as in `python -m training.<job>`.
        options: what it was told, as JSON can say it.
        inputs: files and folders that it reads; hashed into the manifest.
        resumes: go on in a folder that holds an unfinished run of the same job and options; None
            where the job cannot.

    A folder that holds nothing but the manifest of a run of the job that failed is taken anew.

    Raises:
        WrongState: FOLDER_EXISTS; RUN_DIFFERS when it was begun with other options or inputs.
        InvalidInput: FOLDER_UNUSABLE, ROWS_MISSING for an input that is not there.
    """

    def __init__(
        self,
        out: Path,
        job: str,
        options: Mapping[str, Any],
        *,
        inputs: Mapping[str, Path] | None = None,
        resumes: bool | None = None,
    ) -> None:
        self.path = out
        options = json.loads(json.dumps(options, default=str))
        hashes = {name: fingerprint(path) for name, path in (inputs or {}).items()}
        if resumes and (out / MANIFEST).exists():
            self.manifest = _read(out / MANIFEST)
            for name, value in (("job", job), ("options", options), ("inputs", hashes)):
                if self.manifest[name] != value:
                    way_on = "resume it with what it was begun with, or name another folder"
                    if FORGOTTEN in self.manifest:
                        way_on = "what it read was forgotten since then; begin anew in another one"
                    raise WrongState(
                        "RUN_DIFFERS", f"{out} holds a run with other {name}; {way_on}"
                    )
        else:
            if out.exists() and any(out.iterdir()) and not _only_failed(out, job):
                way_on = "" if resumes is None else ", or --resume"
                raise WrongState(
                    "FOLDER_EXISTS", f"{out} is not empty; name another folder{way_on}"
                )
            self.manifest = {
                "schema": SCHEMA,
                "job": job,
                "options": options,
                "inputs": hashes,
                "git_revision": git_revision(),
                "versions": versions(),
                "machine": {"processor_count": os.cpu_count(), "system": platform.platform()},
                "metrics": {},
            }
        self.manifest |= {"started": _now(), "status": "running"}
        try:
            out.mkdir(parents=True, exist_ok=True)
            self._held = os.open(out, os.O_RDONLY)
            fcntl.flock(self._held, fcntl.LOCK_SH)  # see held_alone
            self.save()
        except OSError as error:
            raise InvalidInput("FOLDER_UNUSABLE", f"cannot write {out}: {error}") from error

    def note(self, **metrics: Any) -> None:
        """Adds to the manifest's metrics and saves it."""
        self.manifest["metrics"] |= metrics
        self.save()

    def save(self) -> None:
        path = self.path / MANIFEST
        known = _read(path) if path.exists() else {}
        if FORGOTTEN in known:  # by somebody else, while the run goes on
            self.manifest[FORGOTTEN] = known[FORGOTTEN]
        write_json(path, self.manifest)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        status = "failed" if kind else "done"
        if kind is KeyboardInterrupt:
            status = "interrupted"
        self.manifest |= {"ended": _now(), "status": status}
        self.save()
        os.close(self._held)


@contextlib.contextmanager
def held_alone(folder: Path) -> Iterator[bool]:
    """Holds a run's folder, so that a run that begins in it waits; False: one is under way."""
    descriptor = os.open(folder, os.O_RDONLY)
    is_alone = True
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            is_alone = False
        yield is_alone
    finally:
        os.close(descriptor)


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, or of the names and hashes of a folder's files, but for hidden ones.

    Who loads a model may keep a hidden file beside it, and it is the same model.

    Raises:
        InvalidInput: ROWS_MISSING.
    """
    try:
        if path.is_dir():
            found = sorted((file.relative_to(path), file) for file in path.rglob("*"))
            lines = [
                f"{name} {fingerprint(file)}\n"
                for name, file in found
                if file.is_file() and not any(part.startswith(".") for part in name.parts)
            ]
            return hashlib.sha256("".join(lines).encode()).hexdigest()
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidInput(
            "ROWS_MISSING",
            f"cannot read {path}: {error.strerror}; see that you named the right folder, and that "
            "the job which writes it has ended (docs/training.md)",
        ) from error


def git_revision() -> str:
    """The commit of this checkout, with "+" when files differ from it; "" where there is no git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"],
            cwd=_REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return described.stdout.strip()


def versions() -> dict[str, str]:
    """Python's version and those of the libraries that are installed."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def write_json(path: Path, value: Any) -> None:
    """Puts a JSON file in its place in one step."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Puts a file in its place in one step."""
    with whole_file(path) as file:
        file.write(text.encode())


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to beside `path`, whose place it takes when it is whole and on the disk."""
    part = path.with_name(f".{path.name}.new")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(path, part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to write to beside `target`, whose place it takes when it is whole."""
    part = target.with_name(f".{target.name}.new")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    for path in filter(Path.is_file, part.rglob("*")):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    with whole():
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)


def noted(folder: Path) -> dict[str, Any]:
    """What the run of a folder noted of itself so far; {} of a folder that no run wrote."""
    path = folder / MANIFEST
    metrics: dict[str, Any] = _read(path).get("metrics", {}) if path.exists() else {}
    return metrics


def _only_failed(out: Path, job: str) -> bool:
    """Whether a run of the job failed in the folder before it wrote anything."""
    if [path.name for path in out.iterdir()] != [MANIFEST]:
        return False
    manifest = _read(out / MANIFEST)
    return manifest.get("job") == job and manifest.get("status") == "failed"


def _read(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput("FOLDER_UNUSABLE", f"cannot read {path}: {error}") from error
    return manifest


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
