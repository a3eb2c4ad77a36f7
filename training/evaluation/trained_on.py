"""Keeps clips that a recogniser was trained on from being what it is judged by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from services.collector.audio_folder import METADATA
from services.errors import InvalidInput
from services.model_manifest import read_manifest
from training.clips.folder import TRAIN
from training.evaluation.recognisers import Clip
from training.run_folder import MANIFEST, fingerprint
from training.text_lines import text_lines


def apart(
    clips: Mapping[str, Sequence[Clip]], spec: str, folders: Iterable[Path]
) -> dict[str, list[Clip]]:
    """Each set without the clips, and without clips of the recordings, that were trained on.

    Args:
        spec: the recogniser, ENGINE[:PATH]; the clips that its run names are looked at, too.
        folders: which training.audio wrote.

    Raises:
        InvalidInput: BAD_SPEECH, for a set of which nothing is left.
    """
    hashes = {each for folder in {*folders, *_named_by(spec)} for each in _hashes(folder)}
    left: dict[str, list[Clip]] = {}
    for name, found in clips.items():
        left[name] = [
            clip
            for clip in found
            if not hashes or not hashes & {fingerprint(clip.path), clip.source_sha256}
        ]
        count = len(found) - len(left[name])
        if count:
            click.echo(
                f"{name}: {count} of {len(found)} clips are left out, since the recogniser was "
                "trained on them or on their recordings",
                err=True,
            )
        if not left[name]:
            raise InvalidInput(
                "BAD_SPEECH",
                f"the recogniser was trained on all of {name}; name speech that it has not heard: "
                "the folder validation beside its training clips, or other recordings",
            )
    return left


def _hashes(folder: Path) -> set[str]:
    """SHA-256 of the clips to train on in a folder, and of the files that they were made of."""
    metadata = folder / TRAIN / METADATA
    if not metadata.is_file():
        raise InvalidInput(
            "BAD_SPEECH", f"{folder} has no {TRAIN}/{METADATA}: training.audio did not write it"
        )
    rows = [json.loads(line) for line in text_lines(metadata) if line]
    found = {fingerprint(folder / TRAIN / row["file_name"]) for row in rows}
    return found | {row["source_sha256"] for row in rows if row.get("source_sha256")}


def _named_by(spec: str) -> list[Path]:
    """The folder of clips in the lineage of an export, or in the run that wrote an adapter."""
    model = Path(spec.partition(":")[2])
    manifest = read_manifest(model) if model.name else None
    run: Any = manifest.lineage.get("run") if manifest is not None else None
    if run is None and model.name and (model.parent / MANIFEST).is_file():
        run = json.loads((model.parent / MANIFEST).read_text(encoding="utf-8"))
    told = ((run or {}).get("options") or {}).get("clips")
    if told is None:
        return []
    if not (Path(told) / TRAIN / METADATA).is_file():
        click.echo(f"{told}, which it was trained on, is not there to be compared", err=True)
        return []
    return [Path(told)]
