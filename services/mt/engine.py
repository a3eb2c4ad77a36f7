"""What a translation runtime is to the service, and how one is found by name.

Queueing, limits, runaway checks and the glossary stay outside, so they are the same for every
runtime. Engines are synchronous and see str; the service calls each from one thread only.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from services.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from services.mt.glossary import Glossary


@dataclass(frozen=True)
class RuntimeEntry:
    """Where a runtime's loader is, what to install for it, and the model that it usually has."""

    entry: str  # "module:function"
    install: str
    model: str = ""  # of the folder of models, when none is named


# The project's own Marian model, English to Spanish: it is shipped, so no catalogue has it. A newer
# one is deployed to the folder of models under the same name.
OWN_MODEL = "glossa-en-es"

# Name in GLOSSA_MT_RUNTIME -> its loader. Imported only when it is chosen.
RUNTIMES = {
    "apertium": RuntimeEntry(
        "services.mt.engines.apertium:load", "apt-get install apertium apertium-eng-spa"
    ),
    "embedded": RuntimeEntry(
        "services.mt.engines.embedded:load",
        "apt-get install apertium apertium-eng-spa; pip install -e '.[mt]'",
    ),
    "marian": RuntimeEntry(
        "services.mt.engines.marian:load", "pip install -e '.[marian]'", "opus-mt"
    ),
    "gguf": RuntimeEntry(
        "services.mt.engines.gguf:load",
        "pip install -e '.[gguf]'",
        "translategemma-4b-it-Q4_K_M",
    ),
    "bitsandbytes": RuntimeEntry(
        "services.mt.engines.bitsandbytes:load",
        "pip install -e '.[bitsandbytes]'",
        "translategemma-4b-it",
    ),
    "mlx": RuntimeEntry(
        "services.mt.engines.mlx:load", "pip install -e '.[mlx]'", "translategemma-4b-it-4bit"
    ),
    "exl2": RuntimeEntry(
        "services.mt.engines.exl2:load", "pip install -e '.[exl2]'", "translategemma-4b-it-exl3"
    ),
}


@dataclass(frozen=True, order=True)
class LanguagePair:
    """A direction of translation; languages are BCP 47 primary subtags in lower case."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}>{self.target}"

    def reversed(self) -> LanguagePair:
        return LanguagePair(self.target, self.source)


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do, as data.

    Args:
        pairs: the directions that it translates.
        uses_context: whether earlier segments and terms change its answer.
        streams: whether it tells the text so far.
        continues_text: whether it goes on from `Job.committed_text`.
        places_terms: whether it puts the terms of `Task.glossary` in place itself.
        max_batch: jobs that one call of `translate` may hold.
        lacks: what it was to have and works without, as one line; empty for nothing.
    """

    pairs: tuple[LanguagePair, ...]
    uses_context: bool = False
    streams: bool = False
    continues_text: bool = False
    places_terms: bool = False
    max_batch: int = 1
    lacks: str = ""


@dataclass(frozen=True)
class Earlier:
    """An earlier segment with its translation."""

    source: str
    target: str


@dataclass(frozen=True)
class RequiredTerm:
    """A term that the text holds and the rendering wanted for it."""

    source: str
    target: str


@dataclass(frozen=True)
class Job:
    """One text to translate.

    Args:
        text: not blank, within the source cap.
        context: earlier segments, oldest first.
        terms: what the text holds of the glossary, for engines that can be told.
        committed_text: what the translation must begin with, for engines that can go on from it.
        previous_text: an earlier translation of the same segment; speculation only.
    """

    text: str
    pair: LanguagePair
    draft: bool = False
    context: tuple[Earlier, ...] = ()
    terms: tuple[RequiredTerm, ...] = ()
    committed_text: str = ""
    previous_text: str = ""


class Task(Protocol):
    """One job under way, as the engine sees it. All of it is safe to use from the engine's thread.

    An engine that generates token by token calls `tell` after each token (a few are enough) and
    stops a task that is no longer wanted: its caller left, newer text came, or it runs away. What
    it has until then it returns all the same.
    """

    @property
    def job(self) -> Job: ...

    @property
    def glossary(self) -> Glossary:
        """Of the job's pair; for engines that place terms themselves."""

    @property
    def is_wanted(self) -> bool: ...

    def tell(self, text: str, token_count: int) -> None:
        """The whole translation so far, `committed_text` included, and the new tokens in it."""


@dataclass(frozen=True)
class Rendering:
    """What an engine made of a text.

    Args:
        text: the whole translation, `committed_text` included when the engine went on from it.
        unknown_words: words that it did not know and copied through, in order.
        token_count: tokens generated; 0 when the runtime does not count in tokens.
        hit_token_limit: it was cut off at the limit for the length of its source.
        model: runtime and model where they differ from text to text; empty: `Engine.model`.
        placed_terms: those that an engine which places terms put in place.
    """

    text: str
    unknown_words: tuple[str, ...] = ()
    token_count: int = 0
    hit_token_limit: bool = False
    model: str = ""
    placed_terms: tuple[RequiredTerm, ...] = ()


class Engine(Protocol):
    """One loaded runtime."""

    name: str
    capabilities: Capabilities

    @property
    def restarts(self) -> int:
        """How often a broken runtime was replaced since the start."""

    def model(self, pair: LanguagePair) -> str:
        """Runtime and model of a pair, for example "apertium/eng-spa"."""

    def translate(self, tasks: Sequence[Task]) -> list[Rendering]:
        """Translates 1 to `max_batch` texts of pairs that it can do, in order, without sampling.

        Raises:
            EngineFailed: the runtime broke; OutOfMemory when it had no room.
        """

    def close(self) -> None:
        """Gives everything back; the engine must not be used again."""


@dataclass(frozen=True)
class EngineOptions:
    """What a loader is told.

    Args:
        model: a local folder or file, or a name below models_dir; unused by apertium.
        speculative_model: a smaller model of the same family and runtime that drafts tokens for it.
        device: "auto", "cpu" or "cuda".
        threads: CPU threads; 0 lets the runtime choose.
        context_tokens: room for prompt and answer together.
        prompt_family: a name in prompt.FAMILIES; "auto" goes by the model's template and tokens.
        max_batch: texts translated at once, where the runtime can.
        pairs: directions; those that apertium warms, those that a Marian model must hold.
        request_timeout_s: for runtimes in processes of their own, before a restart.
    """

    model: str = ""
    models_dir: Path = Path("var/models")
    speculative_model: str = ""
    device: str = "auto"
    compute_type: str = "auto"
    threads: int = 0
    context_tokens: int = 2048
    prompt_family: str = "auto"
    max_batch: int = 4
    pairs: tuple[LanguagePair, ...] = (LanguagePair("en", "es"),)
    request_timeout_s: float = 2.0


class EngineLoader(Protocol):
    """What the entry of an engine module is."""

    def __call__(self, options: EngineOptions) -> Engine:
        """Loads the model; blocks until it can translate.

        Raises:
            Unavailable: ENGINE_NOT_INSTALLED, MODEL_MISSING or TOOL_MISSING, saying what to do.
            EngineFailed: it is there and does not start; OutOfMemory when it does not fit.
        """


def loader(runtime: str) -> EngineLoader:
    """The loader of a runtime; imports its library only now.

    Raises:
        InvalidInput: UNKNOWN_ENGINE.
        Unavailable: ENGINE_NOT_INSTALLED, saying what to install.
    """
    entry = RUNTIMES.get(runtime)
    if entry is None:
        raise InvalidInput(
            "UNKNOWN_ENGINE",
            f"there is no translation runtime {runtime!r}; there are: "
            f"{', '.join(sorted(RUNTIMES))}",
            engine=runtime,
        )
    module_name, _, function = entry.entry.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise Unavailable(
            "ENGINE_NOT_INSTALLED",
            f"the translation runtime {runtime} needs {error.name}: {entry.install}",
            engine=runtime,
            missing=error.name,
        ) from error
    found: EngineLoader = getattr(module, function)
    return found
