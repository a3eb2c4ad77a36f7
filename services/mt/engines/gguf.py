"""Language models in GGUF through llama.cpp, by whichever of two bindings is installed.

llama-cpp-python comes first: there is a loop of our own around it, which can speculate on an
earlier answer. xllamacpp comes ready built and translates several texts at once.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

from services.errors import Unavailable
from services.model_files import find_model
from services.mt.engine import Engine, EngineOptions
from services.mt.engines.failures import as_engine_failed

NAME = "gguf"
# Library -> what installs it, best first. Its engine is the module of the same name beside this.
LIBRARIES = {
    "llama_cpp": "pip install 'glossa[gguf]' (llama-cpp-python, built in some minutes)",
    "xllamacpp": "pip install 'glossa[xllamacpp]' (ready built)",
}
# A large file may be split; llama.cpp finds the other parts by the first.
_LATER_PART = re.compile(r"-(?!0*1-of)\d+-of-\d+\.gguf$")


def load(options: EngineOptions) -> Engine:
    library = next((name for name in LIBRARIES if importlib.util.find_spec(name)), None)
    if library is None:
        raise Unavailable(
            "ENGINE_NOT_INSTALLED",
            f"the translation runtime {NAME} needs one of two libraries: "
            f"{', or '.join(LIBRARIES.values())}",
            engine=NAME,
            missing=next(iter(LIBRARIES)),
        )
    return load_with(library, options)


def load_with(library: str, options: EngineOptions) -> Engine:
    """Loads with one library of LIBRARIES, whichever others there are."""
    with as_engine_failed(NAME, f"load the library {library}"):
        module = importlib.import_module(f"services.mt.engines.{library}")
    engine: Engine = module.load(options)
    return engine


def find_file(model: str, models_dir: Path) -> Path:
    """The model's file: the one named, or the only one in the folder named.

    Raises:
        Unavailable: MODEL_MISSING, also when a folder holds several.
    """
    found = find_model(model, models_dir)
    if not found.is_dir():
        return found
    files = sorted(
        path
        for path in found.glob("*.gguf")
        # An mmproj file is the part that sees; it translates nothing.
        if not _LATER_PART.search(path.name) and "mmproj" not in path.name
    )
    if len(files) == 1:
        return files[0]
    names = ", ".join(path.name for path in files)
    raise Unavailable(
        "MODEL_MISSING",
        f"the folder {found} holds several models ({names}); name one of the files"
        if files
        else f"the folder {found} holds no .gguf file; get one with ./glossa models pull",
        model=model,
    )
