"""What measures translations, as the service sees it, and how it is found by name.

Engines are synchronous and see str; the service calls each from one thread only.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from services.errors import Unavailable

if TYPE_CHECKING:
    from services.qe.settings import QeSettings

# Name in GLOSSA_QE_ENGINE -> where its load(settings) is. Imported only when it is chosen.
ENGINES = {"heuristic": "services.qe.engines.heuristic:load"}


@dataclass(frozen=True)
class Pair:
    """A text and its translation, neither blank; languages are BCP 47 primary subtags.

    Args:
        target_model: runtime and model of the translation ("gguf/..."); empty when not known.
        independent_text: what another model made of the same source; empty when there is none.
        independent_model: runtime and model of that.
        required_terms: glossary terms of the source, (source, target).
        missing_terms: those of them that are not in the translation.
    """

    source_text: str
    target_text: str
    source_language: str
    target_language: str
    target_model: str = ""
    independent_text: str = ""
    independent_model: str = ""
    required_terms: tuple[tuple[str, str], ...] = ()
    missing_terms: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Signal:
    """One measured property of a pair.

    Args:
        value: [0, 1], greater is better; None when it could not be measured.
        model: what gave it, for example "chrf+apertium/spa-eng".
    """

    name: str
    value: float | None
    model: str


class Engine(Protocol):
    """One loaded engine, warm for the pairs that the settings name."""

    name: str
    model: str
    signal_names: tuple[str, ...]

    def score(self, pairs: Sequence[Pair]) -> list[tuple[Signal, ...]]:
        """Measures every pair, in order. Raises EngineFailed when nothing at all can be said."""

    def close(self) -> None:
        """Gives everything back; the engine must not be used again."""


def load(settings: QeSettings) -> Engine:
    """Imports and loads the engine that `settings` name; takes seconds.

    Raises:
        InvalidInput: UNKNOWN_SIGNAL.
        Unavailable: ENGINE_MISSING, saying what to install.
    """
    module_name, _, function = ENGINES[settings.engine].partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise Unavailable(
            "ENGINE_MISSING",
            f"engine {settings.engine!r} needs the module {error.name}: pip install -e '.[qe]'",
            engine=settings.engine,
        ) from error
    engine: Engine = getattr(module, function)(settings)
    return engine
