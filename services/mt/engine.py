"""What a translation runtime is to the service, and how one is found by name.

Queueing, limits and the glossary stay outside, so they are the same for every runtime. Engines are
synchronous and see str; the service calls each from one thread only.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from services.errors import Unavailable

if TYPE_CHECKING:
    from services.mt.settings import MtSettings

# Name in GLOSSA_MT_RUNTIME -> where its load(settings) is. Imported only when it is chosen.
RUNTIMES = {"apertium": "services.mt.engines.apertium:load"}


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
        uses_context: whether earlier segments change its answer.
    """

    pairs: tuple[LanguagePair, ...]
    uses_context: bool


@dataclass(frozen=True)
class Earlier:
    """An earlier segment with its translation."""

    source: str
    target: str


@dataclass(frozen=True)
class Job:
    """One text to translate.

    Args:
        text: not blank.
        context: earlier segments, oldest first; at most 8.
    """

    text: str
    pair: LanguagePair
    draft: bool = False
    context: tuple[Earlier, ...] = field(default=())


@dataclass(frozen=True)
class Rendering:
    """What an engine made of a text.

    Args:
        unknown_words: words that it did not know and copied through, in order.
    """

    text: str
    unknown_words: tuple[str, ...] = ()


class Engine(Protocol):
    """One loaded runtime, warm for the pairs that the settings name."""

    name: str
    capabilities: Capabilities

    @property
    def restarts(self) -> int:
        """How often a broken runtime was replaced since the start."""

    def model(self, pair: LanguagePair) -> str:
        """Runtime and model of a pair, for example "apertium/eng-spa"."""

    def translate(self, job: Job) -> Rendering:
        """Translates one text of a pair that it can do. Raises EngineFailed."""

    def close(self) -> None:
        """Gives everything back; the engine must not be used again."""


def load(settings: MtSettings) -> Engine:
    """Imports and loads the runtime that `settings` name; takes seconds.

    Raises:
        Unavailable: RUNTIME_MISSING or TOOL_MISSING, saying what to install.
        EngineFailed: it is there and does not start.
    """
    module_name, _, function = RUNTIMES[settings.runtime].partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise Unavailable(
            "RUNTIME_MISSING",
            f"runtime {settings.runtime!r} needs the module {error.name}: pip install glossa[mt]",
            runtime=settings.runtime,
        ) from error
    engine: Engine = getattr(module, function)(settings)
    return engine
