"""Where a model lies on this machine: a path, or a name below the models folder.

Nothing here, or in an engine, asks a hub: `./glossa models pull` does, before Sunday.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from services.errors import InvalidInput, Unavailable


def find_model(model: str, models_dir: Path, *, needs: Iterable[str] = ()) -> Path:
    """The file or folder of `model`.

    Args:
        model: a path, or a name below `models_dir` ("owner/name" lies in owner/name or in name).
        needs: files that its folder must hold; "a|b" is satisfied by either.

    Raises:
        Unavailable: MODEL_MISSING, naming the model or the first file that is not there.
    """
    if not model:
        raise Unavailable(
            "MODEL_MISSING",
            "no model is named; set the service's MODEL variable, or choose a profile that does",
        )
    candidates = (Path(model), models_dir / model, models_dir / Path(model).name)
    found = next((path for path in candidates if path.exists()), None)
    if found is None:
        raise Unavailable(
            "MODEL_MISSING",
            f"there is no model {model!r}, neither as a path nor in {models_dir}; "
            "get it with ./glossa models pull (list --all names those that there are)",
            model=model,
            models_dir=models_dir,
        )
    for name in needs:
        if not any((found / option).exists() for option in name.split("|")):
            raise Unavailable(
                "MODEL_MISSING",
                f"the model in {found} has no {name.replace('|', ' or ')}; "
                "it is damaged or of another kind: ./glossa models verify",
                model=model,
                missing=name,
            )
    return found


def check_requested(model: str, models_dir: Path) -> str:
    """A model that may be loaded on request: below `models_dir`, or none.

    Raises:
        InvalidInput: MODEL_MISSING.
    """
    path = Path(model)
    is_below = not path.is_absolute() and ".." not in path.parts
    is_there = (models_dir / path).exists() or (models_dir / path.name).exists()
    if model and not (is_below and is_there):
        raise InvalidInput(
            "MODEL_MISSING",
            f"there is no model {model!r} in the models folder; ./glossa models list shows "
            "those that there are",
            model=model,
        )
    return model
