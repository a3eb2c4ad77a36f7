"""Built models are kept between runs, in GLOSSA_TINY_MODELS or var/tiny-models.

A folder's name holds a hash of what it was made from, so a changed builder builds again. A build
is seen only when it is whole: of two processes that build at once, one's result is dropped.
"""

from __future__ import annotations

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
    unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
    try:
        build(unfinished)
        unfinished.chmod(0o755)
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder
