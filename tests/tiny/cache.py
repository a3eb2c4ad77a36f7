"""Built models are kept between runs, in GLOSSA_TINY_MODELS or var/tiny-models.

A folder's name holds a hash of what it was made from, so a changed builder builds again. A build
is seen only when it is whole; whoever wants the same meanwhile waits for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def built(name: str, build: Callable[[Path], None], *sources: Path) -> Path:
    """The folder `name`, filled by `build(folder)` unless it is there from the same sources.

    Args:
        sources: files whose contents decide what is built: the builder, its sentences, the builder
            of a model that it starts from.
    """
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    root = Path(os.environ.get("GLOSSA_TINY_MODELS") or _ROOT / "var/tiny-models").resolve()
    folder = root / f"{name}-{digest.hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with (root / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _build(folder, build)
    return folder


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
    try:
        build(unfinished)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
