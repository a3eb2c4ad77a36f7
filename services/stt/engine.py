"""What a speech recogniser is to the service, and how one is found by name.

An engine turns samples into words. Voice activity, segmentation, the commit policy and the filters
stay outside, so they are the same for every engine. Engines are synchronous and are called from
worker threads; asyncio never reaches them.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
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
    """What an engine heard.

    Args:
        avg_logprob: mean ln of the token or word probabilities, <= 0; never NaN.
        no_speech_prob: the engine's own probability that there is no speech, [0, 1]; None when it
            gives none.
    """

    words: tuple[HypothesisWord, ...]
    avg_logprob: float | None = None
    no_speech_prob: float | None = None

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class Decoding:
    """What an engine is told beside the samples.

    Args:
        language: one of the engine's languages.
        phrases: words and names to expect; for engines that take a prompt or a bias.
        previous_text: what was said just before; empty after a pause.
        temperature: 0 for the likeliest words; above it for another try, [0, 1].
    """

    language: str
    phrases: tuple[str, ...] = ()
    previous_text: str = ""
    temperature: float = 0.0


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do, as data.

    Args:
        languages: BCP 47 primary languages, for example ("en",).
        live_decoders: decoders of its own that follow a stream, at once; 0 when it has none and
            partials are made by decoding the segment so far again and again.
        word_times: whether a partial's words are timed; segments can then end between two words.
        held_back_words: last words of a partial that it rewrites so often that agreement on them
            says nothing.
        partial_step_ms: audio between two partials that suits it.
        flag_avg_logprob: a final below it is shown and flagged.
        reject_avg_logprob: a final below it is not worth showing; each engine's probabilities have
            their own scale.
        uses_temperature: whether another temperature gives another answer.
    """

    languages: tuple[str, ...]
    live_decoders: int
    word_times: bool
    held_back_words: int
    partial_step_ms: int
    flag_avg_logprob: float
    reject_avg_logprob: float
    uses_temperature: bool = False


class LiveDecoder(Protocol):
    """Decodes one stream's segments while they are being spoken."""

    def start(self, decoding: Decoding) -> None:
        """Begins a segment; drops an unfinished one. Raises EngineFailed."""

    def feed(self, samples: Samples) -> Hypothesis:
        """The segment so far, with these samples added. Raises EngineFailed."""

    def close(self) -> None:
        """Gives the decoder back; it must not be used again."""


class Engine(Protocol):
    """One recogniser.

    `transcribe` may be called from `final_workers` threads at once, and from one more where
    partials are made by decoding again.
    """

    name: str
    model: str
    capabilities: Capabilities

    def transcribe(self, samples: Samples, decoding: Decoding) -> Hypothesis:
        """Decodes one whole segment, at most 30 s. Word times lie within the samples, in order.

        At temperature 0 the same samples give the same words.

        Raises:
            EngineFailed: the runtime broke; OutOfMemory when it had no room.
        """

    def open_live(self, decoding: Decoding) -> LiveDecoder | None:
        """A decoder of its own for one stream; None when all are taken or it has none."""

    def close(self) -> None:
        """Releases the model and ends child processes."""


@dataclass(frozen=True)
class EngineOptions:
    """What a loader is told.

    Args:
        model: a local folder or file, or a name below models_dir; empty for the engine's own.
        device: "auto", "cpu" or "cuda".
        compute_type: as the runtime names it; "auto" for what suits the device.
        threads: CPU threads; 0 lets the runtime choose.
        beam_size: hypotheses that a search follows at once, for engines that search so; 1 is the
            quickest. One engine for partials and finals has one, so that finals seldom differ.
    """

    model: str = ""
    models_dir: Path = Path("var/models")
    device: str = "auto"
    compute_type: str = "auto"
    threads: int = 0
    final_workers: int = 1
    live_decoders: int = 0
    beam_size: int = 5


class EngineLoader(Protocol):
    """What the entry of an engine module is."""

    def __call__(self, options: EngineOptions) -> Engine:
        """Loads the model; blocks until it can decode.

        Raises:
            Unavailable: ENGINE_NOT_INSTALLED or MODEL_MISSING, saying what to do.
            EngineFailed: it is there and does not start.
        """


@dataclass(frozen=True)
class EngineEntry:
    """Where an engine lives, what to install for it, and the model that it usually has."""

    entry: str  # "module:function"
    install: str
    model: str = ""  # of the folder of models, when none is named
    own_model: str = ""  # the model that it brings with it


ENGINES = {
    "pocketsphinx": EngineEntry(
        "services.stt.engines.pocketsphinx:load", "pip install -e '.[stt]'", own_model="en-us"
    ),
    "faster_whisper": EngineEntry(
        "services.stt.engines.faster_whisper:load",
        "pip install -e '.[faster-whisper]'",
        "large-v3-turbo",
    ),
    "mlx_whisper": EngineEntry(
        "services.stt.engines.mlx_whisper:load",
        "pip install -e '.[mlx-whisper]'",
        "mlx-whisper-large-v3-turbo",
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
