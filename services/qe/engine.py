"""What measures translations, as the service sees it, and how it is found by name.

Engines are synchronous and see str; the service calls each from one thread only.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from services.errors import Unavailable

if TYPE_CHECKING:
    from services.qe.settings import QeSettings


@dataclass(frozen=True)
class EngineEntry:
    """Where an engine's load(settings) is, what it measures, and what to install for it.

    Args:
        signal_names: what is unset while the engine is not there; empty for the rules, which always
            are.
        model: in the folder of models, when none is named.
        gains_by_batches: whether several pairs at once take less time than one after the other.
    """

    entry: str  # "module:function"
    signal_names: tuple[str, ...] = ()
    install: str = "pip install -e '.[qe]'"
    model: str = ""
    gains_by_batches: bool = False


RULES = "heuristic"
LEARNED = "cometkiwi"
# In the order in which their signals are reported. Imported only when they are chosen.
ENGINES = {
    RULES: EngineEntry("services.qe.engines.heuristic:load"),
    LEARNED: EngineEntry(
        "services.qe.engines.cometkiwi:load",
        ("translation_qe",),
        "./glossa up installs it into .venv-qe",
        "wmt22-cometkiwi-da",
        gains_by_batches=True,
    ),
    "agreement": EngineEntry(
        "services.qe.engines.agreement:load", ("marian_agreement",), gains_by_batches=True
    ),
}


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


# What any engine must be able to measure.
SMOKE_PAIR = Pair("Good morning, everyone.", "Buenos días a todos.", "en", "es")


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
    """One loaded engine, warm for the pairs that the settings name.

    Args:
        model: what measures, in a few words: "cometkiwi/wmt22-cometkiwi-da".
        signal_names: what every result holds, in this order.
    """

    name: str
    model: str
    signal_names: tuple[str, ...]

    def score(self, pairs: Sequence[Pair]) -> list[tuple[Signal, ...]]:
        """Measures every pair, in order.

        What cannot be measured of a pair is a Signal without a value, whose model says why. Raises
        EngineFailed when a pair of them breaks the engine: the rest is then asked for in halves.
        """

    def close(self) -> None:
        """Gives everything back; the engine must not be used again."""


def chosen(settings: QeSettings) -> tuple[str, ...]:
    """The names of the engines that run side by side, in the order of their signals."""
    wanted = settings.wanted_signals()
    return tuple(
        name
        for name, entry in ENGINES.items()
        if (name != LEARNED or settings.engine == LEARNED)
        and (not wanted or not entry.signal_names or set(wanted) & set(entry.signal_names))
    )


def load(name: str, settings: QeSettings) -> Engine:
    """Imports and loads the engine `name`; takes seconds, for a large model minutes.

    Raises:
        InvalidInput: UNKNOWN_SIGNAL.
        Unavailable: ENGINE_MISSING, MODEL_MISSING, MODEL_UNUSABLE; each says what to do.
        EngineFailed: the library did not load it.
    """
    # Whatever is missing here was to be pulled before Sunday: no library asks a hub for it.
    os.environ["HF_HUB_OFFLINE"] = "1"
    entry = ENGINES[name]
    module_name, _, function = entry.entry.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise Unavailable(
            "ENGINE_MISSING",
            f"engine {name!r} needs the module {error.name}: {entry.install}",
            engine=name,
        ) from error
    engine: Engine = getattr(module, function)(settings)
    return engine
