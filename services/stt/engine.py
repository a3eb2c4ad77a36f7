"""What a speech recogniser is to the service, and how one is found by name.

An engine turns samples into words. Voice activity, segmentation, the commit policy and the filters
stay outside, so they are the same for every engine. Engines are synchronous and are called from
worker threads; asyncio never reaches them.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.errors import InvalidInput, Unavailable

# Mono float32 at 16 kHz, [-1, 1].
Samples = NDArray[np.float32]


@dataclass(frozen=True)
class HypothesisWord:
    """One word, timed from the first sample that the engine was given."""

    text: str
    start_ms: int
    end_ms: int
    probability: float | None  # calibrated, [0, 1]; None when the engine gives none


@dataclass(frozen=True)
class Hypothesis:
    """What an engine heard in one segment."""

    words: tuple[HypothesisWord, ...]
    avg_logprob: float | None  # mean ln of the word probabilities, <= 0

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do, as data.

    Args:
        languages: BCP 47 primary languages, for example ("en",).
        live_partials: decoders for live partials at once; 0 when it has none.
        min_avg_logprob: a hypothesis below it is not worth showing; each engine's probabilities
            have their own scale.
    """

    languages: tuple[str, ...]
    live_partials: int
    min_avg_logprob: float


class LiveDecoder(Protocol):
    """Decodes one stream's segments while they are being spoken."""

    def start(self) -> None:
        """Begins a segment; drops an unfinished one. Raises EngineFailed."""

    def feed(self, samples: Samples) -> str:
        """The segment's text so far, with these samples added. Raises EngineFailed."""

    def close(self) -> None:
        """Gives the decoder back; it must not be used again."""


class Engine(Protocol):
    """One recogniser. `transcribe` may be called from `final_workers` threads at once."""

    name: str
    model: str
    capabilities: Capabilities

    def transcribe(self, samples: Samples, language: str, phrases: tuple[str, ...]) -> Hypothesis:
        """Decodes one whole segment. The same samples give the same words. Raises EngineFailed."""

    def open_live(self, language: str, phrases: tuple[str, ...]) -> LiveDecoder | None:
        """A decoder for one stream's partials; None when all are taken."""

    def close(self) -> None:
        """Releases the model and ends child processes."""


class EngineLoader(Protocol):
    """What the entry of an engine module is."""

    def __call__(self, *, final_workers: int, live_decoders: int) -> Engine:
        """Loads the model; blocks until it can decode. Raises Unavailable or EngineFailed."""


@dataclass(frozen=True)
class EngineEntry:
    """Where an engine lives and what to install for it."""

    entry: str  # "module:function"
    install: str


ENGINES = {
    "pocketsphinx": EngineEntry(
        "services.stt.engines.pocketsphinx:load", "pip install 'glossa[stt]'"
    ),
}


def loader(name: str) -> EngineLoader:
    """The loader of the engine `name`; imports its library only now.

    Raises:
        Unavailable: UNKNOWN_ENGINE or ENGINE_NOT_INSTALLED, saying what to install.
    """
    entry = ENGINES.get(name)
    if entry is None:
        raise Unavailable(
            "UNKNOWN_ENGINE",
            f"there is no speech engine {name!r}; there are: {', '.join(sorted(ENGINES))}",
            engine=name,
        )
    module_name, _, function_name = entry.entry.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise Unavailable(
            "ENGINE_NOT_INSTALLED",
            f"the speech engine {name} needs {error.name}: {entry.install}",
            engine=name,
            missing=error.name,
        ) from error
    found: EngineLoader = getattr(module, function_name)
    return found


def match_language(asked: str, languages: tuple[str, ...]) -> str:
    """The engine's language for a BCP 47 tag: "en-US" is served by "en".

    Raises:
        InvalidInput: UNSUPPORTED_LANGUAGE, listing what there is.
    """
    primary = asked.replace("_", "-").split("-")[0].lower()
    if primary in languages:
        return primary
    raise InvalidInput(
        "UNSUPPORTED_LANGUAGE",
        f"language {asked!r} is not recognised here; there are: {', '.join(languages)}",
        language=asked,
        supported=",".join(languages),
    )
