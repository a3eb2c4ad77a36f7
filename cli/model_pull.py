"""Gets a model into the folder of models: from the Hugging Face hub, or from a copy on disk.

Nothing is seen under a model's own name before it is whole and has its manifest: until then it
lies in .unfinished, where an interrupted pull goes on the next time.
"""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cli.catalogue import Model
from cli.hub_errors import explained
from cli.model_folder import UNFINISHED, write_manifest
from services.errors import InvalidInput, Unavailable, WrongState
from services.model_files import CHECKPOINT, checked
from services.model_manifest import (
    MANIFEST,
    KeptFile,
    Manifest,
    damages,
    files_of,
    is_inside,
    read_manifest,
    sha256_of,
)

_TIMEOUT_S = 30.0
_REVISION = re.compile(r"[0-9A-Za-z]{1,64}")
_SPARE_BYTES = 500 * 1024 * 1024  # left free for what else the machine writes
# Left out of a repository that is taken as a whole.
_NOT_WANTED = (".gitattributes", "README.md", "LICENSE*", "*.png", "*.jpg", "*.py")


@dataclass(frozen=True)
class _HubFile:
    name: str
    bytes: int
    sha256: str  # empty for small files, of which the hub keeps another hash


Report = Callable[[str], None]


def pull(model: Model, models_dir: Path, report: Report) -> Path:
    """Downloads `model`, going on where an earlier try stopped. Returns its folder.

    Raises:
        Unavailable: HUB_UNREACHABLE, MODEL_GATED, MODEL_NOT_ON_HUB, NO_SPACE, MODEL_DAMAGED,
            MODEL_UNSAFE or NOT_PUBLISHED, each with what to do.
        WrongState: ALREADY_PULLING.
    """
    if not model.repo:
        raise Unavailable("NOT_PUBLISHED", f"{model.name}: {model.note}", model=model.name)
    _prepare_hub()
    # Imported only now: the hub's library reads the variables that were just set.
    from huggingface_hub import HfApi

    with _sole_use(models_dir, model), explained(model):
        info = HfApi().model_info(
            model.repo, revision=model.revision, files_metadata=True, timeout=_TIMEOUT_S
        )
        revision = _checked_revision(model, str(info.sha))
        wanted = _wanted(
            model,
            [
                _HubFile(
                    sibling.rfilename,
                    sibling.size or 0,
                    (sibling.lfs.sha256 or "") if sibling.lfs else "",
                )
                for sibling in info.siblings or []
            ],
        )
        folder = models_dir / UNFINISHED / model.folder / revision
        folder.mkdir(parents=True, exist_ok=True)
        there = sum(path.stat().st_size for _, path in files_of(folder))
        total = sum(file.bytes for file in wanted)
        _check_space(model, models_dir, total - there)
        report(
            f"{model.name}: {total / 1e9:.2f} GB from {model.repo}"
            + (f", {there / 1e9:.2f} GB of them are here" if there else "")
            + f"; licence {model.licence} {model.licence_url}".rstrip()
        )
        kept = {file.name: _fetch(model, revision, file, folder) for file in wanted}
        write_manifest(folder, Manifest(model.name, model.repo, revision, model.licence, kept))
        return _put_in_place(folder, models_dir, model)


def bring_in(model: Model, source: Path, models_dir: Path, report: Report) -> Path:
    """Copies `model` from a file, its folder, or a folder of models. Returns its folder.

    Raises:
        InvalidInput: NO_SUCH_FOLDER, ANOTHER_MODEL or LINK_OUT_OF_FOLDER.
        Unavailable: NO_SPACE, MODEL_DAMAGED or MODEL_UNSAFE.
        WrongState: ALREADY_PULLING.
    """
    if not source.exists():
        raise InvalidInput("NO_SUCH_FOLDER", f"there is no {source}")
    if source.is_dir() and (source / model.folder).is_dir():
        source = source / model.folder
    copied = [(source.name, source)] if source.is_file() else list(files_of(source))
    _refuse_links_out(source, copied)
    wanted = _wanted(
        model, [_HubFile(name, path.stat().st_size, "") for name, path in copied], str(source)
    )
    paths = dict(copied)
    said = read_manifest(source) if source.is_dir() else None
    with _sole_use(models_dir, model):
        _check_space(model, models_dir, sum(file.bytes for file in wanted))
        folder = models_dir / UNFINISHED / model.folder / "copied"
        shutil.rmtree(folder, ignore_errors=True)
        for file in wanted:
            report(f"{model.name}: copying {file.name} ({file.bytes / 1e9:.2f} GB)")
            target = folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(paths[file.name], target)
        if said is None:
            kept = {file.name: _kept(folder / file.name) for file in wanted}
            said = Manifest(model.name, model.repo, "", model.licence, kept)
        elif found := damages(folder, said):
            raise Unavailable(
                "MODEL_DAMAGED",
                f"the copy of {model.name} is not what its {MANIFEST} says: {'; '.join(found)}",
                model=model.name,
            )
        write_manifest(folder, said)
        return _put_in_place(folder, models_dir, model)


def _prepare_hub() -> None:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Plain HTTP goes on in the middle of a file after a break; the chunked protocol does not.
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def _wanted(model: Model, files: Sequence[_HubFile], where: str = "") -> list[_HubFile]:
    """The model's files out of these; every pattern of the catalogue must be met."""
    chosen: dict[str, _HubFile] = {}
    for pattern in model.files:
        met = [
            file
            for file in files
            if fnmatch.fnmatch(file.name, pattern)
            and not any(fnmatch.fnmatch(file.name, other) for other in _NOT_WANTED)
        ]
        if not met:
            where = where or f"the hub's {model.repo}"
            raise InvalidInput(
                "ANOTHER_MODEL",
                f"{where} has no {pattern}, which {model.name} needs; is it another model?",
                model=model.name,
            )
        chosen |= {file.name: file for file in met}
    for name in chosen:
        if not is_inside(name):
            raise _outside(model, name)
    return list(chosen.values())


def _checked_revision(model: Model, revision: str) -> str:
    """The hub's commit, which becomes a folder's name."""
    if not _REVISION.fullmatch(revision):
        raise _outside(model, revision)
    return revision


def _outside(model: Model, name: str) -> Unavailable:
    return Unavailable(
        "MODEL_UNSAFE",
        f"the hub names a file of {model.name} {name!r}, which leads out of the model's folder: "
        "nothing is downloaded; is HF_ENDPOINT the hub that you mean?",
        model=model.name,
    )


def _refuse_links_out(source: Path, files: Sequence[tuple[str, Path]]) -> None:
    """A link in a copy could bring in any file of this machine under a model's name."""
    top = (source if source.is_dir() else source.parent).resolve()
    for name, path in files:
        if not path.resolve().is_relative_to(top):
            raise InvalidInput(
                "LINK_OUT_OF_FOLDER",
                f"{name} in {source} is a link to {path.resolve()}, outside that folder; if that "
                f"file is meant, copy the folder with cp -rL {source} FOLDER, and bring in FOLDER",
            )


def _fetch(model: Model, revision: str, file: _HubFile, folder: Path) -> KeptFile:
    """Downloads one file; what is there of it already is kept."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    target = folder / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    there = target.stat().st_size if target.exists() else 0
    if there > file.bytes:
        target.unlink()
        there = 0
    if there < file.bytes or not target.exists():
        url = hf_hub_url(model.repo, file.name, revision=revision)
        metadata = get_hf_file_metadata(url, timeout=_TIMEOUT_S)
        headers = build_hf_headers()
        if urlsplit(metadata.location).netloc != urlsplit(url).netloc:
            headers.pop("authorization", None)  # another server's: the token is not for it
        with target.open("ab") as opened:
            http_get(
                metadata.location,
                opened,
                resume_size=there,
                headers=headers,
                expected_size=file.bytes,
                displayed_filename=file.name,
            )
    kept = _kept(target)
    if file.sha256 and kept.sha256 != file.sha256:
        target.unlink()
        raise Unavailable(
            "MODEL_DAMAGED",
            f"{file.name} of {model.name} was damaged on the way and is deleted; pull it again",
            model=model.name,
        )
    return kept


def _kept(path: Path) -> KeptFile:
    return KeptFile(path.stat().st_size, sha256_of(path))


def _put_in_place(folder: Path, models_dir: Path, model: Model) -> Path:
    """Gives a whole model its name; one that was there before goes.

    Raises:
        Unavailable: MODEL_UNSAFE; the one before stays.
    """
    try:
        checked(folder, weights_only=(CHECKPOINT,))
    except Unavailable:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    target = models_dir / model.folder
    target.parent.mkdir(parents=True, exist_ok=True)
    before = models_dir / UNFINISHED / f"{model.folder}.before"
    if target.exists():
        shutil.rmtree(before, ignore_errors=True)
        target.rename(before)
    folder.rename(target)
    shutil.rmtree(before, ignore_errors=True)
    shutil.rmtree(models_dir / UNFINISHED / model.folder, ignore_errors=True)
    return target


def _check_space(model: Model, models_dir: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(models_dir).free
    if needed_bytes + _SPARE_BYTES > free_bytes:
        raise Unavailable(
            "NO_SPACE",
            f"{model.name} needs {needed_bytes / 1e9:.1f} GB more in {models_dir}, where "
            f"{free_bytes / 1e9:.1f} GB are free; make room, or set GLOSSA_MODELS_DIR to another "
            "folder",
            model=model.name,
        )


@contextlib.contextmanager
def _sole_use(models_dir: Path, model: Model) -> Iterator[None]:
    """Two pulls of one model would write into the same files."""
    locks = models_dir / UNFINISHED
    try:
        locks.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            "MODELS_DIR_UNUSABLE", f"cannot keep models in {models_dir}: {error.strerror}"
        ) from error
    with (locks / f"{model.name}.lock").open("w") as lock_file:
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WrongState(
                "ALREADY_PULLING", f"another pull of {model.name} is under way"
            ) from error
        yield
