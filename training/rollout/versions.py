"""The registry: versions of models that never change, each a folder with all that is known of it.

<registry>/cycle3_20261121_1f2e3d4c/
    version.json        when, from which export, its evaluation and its gate
    evaluation.json     as training.evaluate and training.gate wrote them
    gate.json
    model/              the export, as services load it
<registry>/deployments.jsonl    what was put where (training.rollout.deployments)
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.errors import InvalidInput, NotFound, WrongState
from services.model_manifest import MANIFEST, Manifest, damages, read_manifest, sha256_of
from services.mt.engine import RUNTIMES
from services.stt.engine import ENGINES
from training.evaluation.judged import GATE, is_of, names_its_model, read_gate
from training.run_folder import fingerprint, write_json

VERSION = "version.json"
SCHEMA = "glossa-version"
NAME = re.compile(r"cycle\d+_\d{8}_[0-9a-f]{8}")


@dataclass(frozen=True)
class Version:
    """One version.

    Args:
        export_sha256: the fingerprint of the export that it is.
        manifest: of its model: name, licence, files, lineage.
        evaluation, gate: as the jobs of these names wrote them; None where there was none.
    """

    name: str
    folder: Path
    created: str
    export_sha256: str
    manifest: Manifest
    evaluation: dict[str, Any] | None
    gate: dict[str, Any] | None

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def engine(self) -> str:
        """The service's engine that loads it."""
        return str(self.manifest.lineage["engine"])

    @property
    def service(self) -> str:
        return "mt" if self.engine in RUNTIMES else "stt"

    @property
    def host_folder(self) -> str:
        """Its folder below a host's models folder; the name tells languages, too, as Marian's must.

        Captions name it as the model that made them.
        """
        return f"{self.manifest.name}_{self.name}"

    def expected_files(self) -> dict[str, tuple[int, str]]:
        """Bytes and SHA-256 of every file of its model, the manifest's own included."""
        manifest = self.model / MANIFEST
        return {
            MANIFEST: (manifest.stat().st_size, sha256_of(manifest)),
            **{name: (kept.bytes, kept.sha256) for name, kept in self.manifest.files.items()},
        }

    @property
    def may_be_deployed(self) -> bool:
        """Whether its own gate is green, or somebody overrode it and said why."""
        gate = self.own_gate
        return gate is not None and gate["may_deploy"] is True

    @property
    def own_gate(self) -> dict[str, Any] | None:
        """Its gate, if that judged this version and not another model."""
        is_own = self.gate is not None and is_of(self.gate, self.engine, self.export_sha256)
        return self.gate if is_own else None


class Registry:
    """A folder of versions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(
        self,
        export: Path,
        *,
        cycle: int,
        evaluation: Path | None = None,
        gate: Path | None = None,
    ) -> Version:
        """Copies an export in, whole or not at all, and makes its files read-only.

        Raises:
            InvalidInput: MODEL_MISSING, MODEL_DAMAGED, FOLDER_UNUSABLE, NO_GATE.
            WrongState: VERSION_EXISTS, when the same files are a version already; NOT_JUDGED, when
                the gate is of another model.
        """
        manifest = read_manifest(export)
        engine = manifest.lineage.get("engine") if manifest is not None else None
        if manifest is None or engine not in {*RUNTIMES, *ENGINES}:
            raise InvalidInput(
                "MODEL_MISSING",
                f"{export} is no folder that training.export wrote for an engine of a service",
            )
        if found := damages(export, manifest):
            raise InvalidInput("MODEL_DAMAGED", f"{export} is damaged: {'; '.join(found)}")
        sha8 = content_sha256(manifest)[:8]
        for known in self.versions():
            if known.name.endswith(f"_{sha8}"):
                raise WrongState(
                    "VERSION_EXISTS",
                    f"{known.name} has the same files; there is nothing to add. To add it with "
                    f"another gate, delete {known.folder} while it is in use nowhere",
                )
        export_sha256 = fingerprint(export)
        if gate is not None:
            _check_gate(gate, export, str(engine), export_sha256)
        now = datetime.now(UTC)
        name = f"cycle{cycle}_{now:%Y%m%d}_{sha8}"
        unfinished = self.folder / f".{name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            shutil.copytree(export, unfinished / "model")
            for kept, source in (("evaluation.json", evaluation), (GATE, gate)):
                if source is not None:
                    shutil.copyfile(source, unfinished / kept)
            # After the copy: a file that changed meanwhile is not taken in.
            if found := damages(unfinished / "model", manifest):
                raise InvalidInput("MODEL_DAMAGED", f"{export} changed: {'; '.join(found)}")
            write_json(
                unfinished / VERSION,
                {
                    "schema": SCHEMA,
                    "version": name,
                    "created": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
                    "content_sha256": content_sha256(manifest),
                    "export_sha256": export_sha256,
                },
            )
            for path in unfinished.rglob("*"):
                if path.is_file():
                    _flush(path)
                    path.chmod(0o444)
            unfinished.rename(self.folder / name)
        except OSError as error:
            raise InvalidInput(
                "FOLDER_UNUSABLE", f"cannot add to {self.folder}: {error.strerror or error}"
            ) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return self.find(name)

    def versions(self) -> list[Version]:
        """All of them, the oldest first."""
        if not self.folder.is_dir():
            return []
        found = [_version(path) for path in self.folder.iterdir() if NAME.fullmatch(path.name)]
        return sorted(found, key=lambda version: (version.created, version.name))

    def find(self, name: str) -> Version:
        """The version of this name, of a part of it that no other has, or "latest".

        Raises:
            NotFound: NO_SUCH_VERSION.
        """
        versions = self.versions()
        found = versions[-1:] if name == "latest" else [v for v in versions if name in v.name]
        if len(found) != 1:
            which = "there is no version" if not found else f"{len(found)} versions are called"
            raise NotFound(
                "NO_SUCH_VERSION",
                f"{which} {name!r} in {self.folder}; "
                f"there are {', '.join(v.name for v in versions) or 'none yet'}",
            )
        return found[0]


def content_sha256(manifest: Manifest) -> str:
    """Of the names and hashes of a model's files."""
    lines = (f"{kept.sha256}  {name}\n" for name, kept in sorted(manifest.files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _check_gate(gate: Path, export: Path, engine: str, export_sha256: str) -> None:
    """Raises InvalidInput: NO_GATE; WrongState: NOT_JUDGED."""
    judgement = read_gate(gate)
    if is_of(judgement, engine, export_sha256):
        return
    why = "another model was judged, or this one with another engine, or before it was made anew"
    if not names_its_model(judgement):
        why = "it is from before gates named the model that they judged"
    option = "--new" if engine in RUNTIMES else "--stt-new"
    raise WrongState(
        "NOT_JUDGED",
        f"{gate} says nothing of {export}: {why}. Judge it with python -m training.evaluate "
        f"{option} {engine}:{export} and hold the gate again; or take it all the same with "
        f'python -m training.gate --evaluation ... --export {export} --override "why"',
    )


def _version(folder: Path) -> Version:
    manifest = read_manifest(folder / "model")
    if manifest is None:
        raise InvalidInput("MODEL_DAMAGED", f"{folder} has no model/{MANIFEST} that can be read")
    known = _read(folder / VERSION)
    return Version(
        name=folder.name,
        folder=folder,
        created=str(known["created"]),
        export_sha256=str(known.get("export_sha256", "")),
        manifest=manifest,
        evaluation=_read_if_there(folder / "evaluation.json"),
        gate=_read_if_there(folder / GATE),
    )


def _read_if_there(path: Path) -> dict[str, Any] | None:
    return _read(path) if path.exists() else None


def _read(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput("FOLDER_UNUSABLE", f"cannot read {path}: {error}") from error
    return value


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
