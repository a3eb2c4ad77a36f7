"""Where a model lies on this machine: a path, or the name of one in the models folder or shipped.

Nothing here, or in an engine, asks a hub: `./glossa models pull` does, before Sunday.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from services.errors import InvalidInput, Unavailable

# Models that come with Glossa. One of the same name in the models folder is a newer one, and wins.
SHIPPED = Path(__file__).parent / "mt/models"


def find_model(model: str, models_dir: Path, *, needs: Iterable[str] = ()) -> Path:
    """The file or folder of `model`.

    A link to a folder beside it stands for that folder: training.deploy has the name that a profile
    uses lead to the version in use, and captions are to name the version.

    Args:
        model: a path, or a name below `models_dir` ("owner/name" lies in owner/name or in name) or
            below SHIPPED.
        needs: files that its folder must hold; "a|b" is satisfied by either.

    Raises:
        Unavailable: MODEL_MISSING, naming the model or the first file that is not there.
    """
    if not model:
        raise Unavailable(
            "MODEL_MISSING",
            "no model is named; set the service's MODEL variable, or choose a profile that does",
        )
    candidates = (
        Path(model),
        models_dir / model,
        models_dir / Path(model).name,
        SHIPPED / Path(model).name,
    )
    found = next((path for path in candidates if path.exists()), None)
    if found is None:
        raise Unavailable(
            "MODEL_MISSING",
            f"there is no model {model!r}, neither as a path nor in {models_dir}; "
            "get it with ./glossa models pull (list --all names those that there are)",
            model=model,
            models_dir=models_dir,
        )
    if found.is_symlink() and (beside := found.readlink()).name == str(beside):
        found = found.with_name(beside.name)
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
    """A model that may be loaded on request: below `models_dir`, shipped, or none.

    Raises:
        InvalidInput: MODEL_MISSING.
    """
    path = Path(model)
    is_below = not path.is_absolute() and ".." not in path.parts
    is_there = any(
        found.exists() for found in (models_dir / path, models_dir / path.name, SHIPPED / path.name)
    )
    if model and not (is_below and is_there):
        raise InvalidInput(
            "MODEL_MISSING",
            f"there is no model {model!r} in the models folder; ./glossa models list shows "
            "those that there are",
            model=model,
        )
    return model
