"""What is done in the models folder of a host, there: `python3 - VERB MODELS_DIR ... < this file`.

It is sent over ssh, so it needs nothing but Python 3.8. Each function prints nothing and returns
what JSON can say; run as a program it prints that.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Dict, List, Optional, Tuple  # noqa: UP035  Python 3.8

UNFINISHED = ".unfinished"
# Name -> its bytes and SHA-256.
Expected = Dict[str, Tuple[int, str]]  # noqa: UP006


def state(models_dir: str, name: str) -> dict:  # type: ignore[type-arg]
    """What the name stands for now: `link`, the folder beside it that it leads to, or None.

    `is_taken`: something lies there that is no such link.
    """
    path = Path(models_dir) / name
    if path.is_symlink():
        return {"link": os.readlink(path), "is_taken": False}
    return {"link": None, "is_taken": path.exists()}


def prepare(models_dir: str, folder: str) -> str:
    """A place to copy `folder` to, which no service sees; what lies there of it is gone on from."""
    place = Path(models_dir) / UNFINISHED / folder
    place.mkdir(parents=True, exist_ok=True)
    return str(place.resolve())


def damages(models_dir: str, folder: str, expected: Expected) -> List[str]:  # noqa: UP006
    """What is wrong with each file of `folder`; files that nobody named are wrong, too."""
    place = Path(models_dir) / folder
    there = {
        path.relative_to(place).as_posix(): path for path in place.rglob("*") if path.is_file()
    }
    found = [f"{name} does not belong there" for name in sorted(set(there) - set(expected))]
    for name, (size_bytes, sha256) in sorted(expected.items()):
        if name not in there:
            found.append(f"{name} is missing")
        elif there[name].stat().st_size != size_bytes or _sha256(there[name]) != sha256:
            found.append(f"{name} is not the file that was sent")
    return found


def publish(models_dir: str, folder: str, expected: Expected) -> List[str]:  # noqa: UP006
    """Gives what was copied its name when it is whole; else what is wrong with it."""
    found = damages(models_dir, f"{UNFINISHED}/{folder}", expected)
    if not found:
        (Path(models_dir) / UNFINISHED / folder).rename(Path(models_dir) / folder)
    return found


def discard(models_dir: str, folder: str) -> None:
    """Deletes what was copied and not published."""
    shutil.rmtree(Path(models_dir) / UNFINISHED / folder, ignore_errors=True)


def point(models_dir: str, name: str, folder: Optional[str]) -> None:  # noqa: UP045
    """Makes `name` lead to `folder` beside it in one step; to nothing with None."""
    path = Path(models_dir) / name
    if folder is None:
        path.unlink()
        return
    beside = path.with_name(f".{name}.new")
    if beside.is_symlink():
        beside.unlink()
    beside.symlink_to(folder)
    os.replace(beside, path)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(4 * 1024 * 1024), b""):
            digest.update(block)
    return digest.hexdigest()


VERBS = {verb.__name__: verb for verb in (state, prepare, damages, publish, discard, point)}

if __name__ == "__main__":
    print(json.dumps(VERBS[sys.argv[1]](*map(json.loads, sys.argv[2:]))))
