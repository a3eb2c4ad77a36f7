"""Language models in GGUF through llama.cpp, by whichever of two bindings is installed.

llama-cpp-python comes first: there is a loop of our own around it, which can speculate on an
earlier answer. xllamacpp comes ready built and translates several texts at once.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.errors import EngineFailed, Unavailable
from services.model_files import checked, find_model
from services.mt import prompt as prompts
from services.mt.engine import Engine, EngineOptions, Job, LanguagePair
from services.mt.engines.failures import as_engine_failed
from services.mt.engines.gguf_header import read_header
from services.mt.prompt_family import checked_family

NAME = "gguf"
# Library -> what installs it, best first. Its engine is the module of the same name beside this.
LIBRARIES = {
    "llama_cpp": "pip install -e '.[gguf]' (llama-cpp-python, built in some minutes)",
    "xllamacpp": "pip install -e '.[xllamacpp]' (ready built)",
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


@dataclass(frozen=True)
class GgufModel:
    """A file that is there and how its model is prompted."""

    path: Path
    family: str

    def prompt(self, job: Job) -> prompts.Prompt:
        """Raises InvalidInput as `prompt.build` does."""
        return prompts.build(self.family, job)

    def end_ids(self, pair: LanguagePair, tokenize: Callable[[str], list[int]]) -> frozenset[int]:
        """Tokens that end an answer, besides those that the file itself calls so.

        Args:
            tokenize: a text's tokens, control tokens read as such, nothing put before them.

        Raises:
            EngineFailed: the vocabulary splits the family's end of turn, so no answer would end.
        """
        ends = set()
        for stop in self.prompt(Job("Amen.", pair)).stop:
            tokens = tokenize(stop)
            if len(tokens) != 1:
                raise EngineFailed(
                    f"the vocabulary of {self.path} does not know {stop} as one token: it was made "
                    "without the tokenizer's special tokens, or GLOSSA_MT_PROMPT_FAMILY is wrong",
                    engine=NAME,
                )
            ends.add(tokens[0])
        return frozenset(ends)


def read_model(options: EngineOptions) -> GgufModel:
    """Raises Unavailable, EngineFailed and InvalidInput for what cannot be loaded anyhow."""
    path = checked(find_file(options.model, options.models_dir))
    header = read_header(path)
    name = f"{header.name} {path.name}".strip()
    family = checked_family(options.prompt_family, header.chat_template, name, header.markers)
    return GgufModel(path, family)


def find_draft(options: EngineOptions) -> Path | None:
    """The file of the model that drafts, if there is to be one; raises as `read_model` does."""
    if not options.speculative_model:
        return None
    path = checked(find_file(options.speculative_model, options.models_dir))
    read_header(path)
    return path


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
