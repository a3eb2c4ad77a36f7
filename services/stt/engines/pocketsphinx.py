"""CMU PocketSphinx 5 with its own en-us model: small, offline, nothing to download.

Another language model and its dictionary can take the place of those that it brings with it: what
`training.lm` makes. The sounds are en-us's in any case.

Decoding happens in child processes (see pocketsphinx_child): one for each final worker, and one for
all live decoders, so that a final never waits behind a partial.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from services.audio import SAMPLE_RATE_HERTZ
from services.errors import EngineFailed, Unavailable
from services.model_files import checked, find_model
from services.stt.engine import (
    ENGINES,
    Capabilities,
    Decoding,
    Engine,
    EngineOptions,
    Hypothesis,
    HypothesisWord,
    Samples,
)

log = structlog.get_logger()

_ENTRY = ENGINES["pocketsphinx"]
# Of a folder that holds another language model.
_LANGUAGE_MODEL, _DICTIONARY = "model.lm.bin", "model.dict"

_CHILD_MODULE = "services.stt.engines.pocketsphinx_child"
_START_TIMEOUT_S = 60.0
# A decoder that takes this much longer than the audio lasts has hung.
_CALL_TIMEOUT_S = 20.0
_CALL_TIMEOUT_PER_AUDIO_S = 5.0

# The second, flat pass and the wide beam cost as much as all the rest: measured on clean read
# speech they bring the word error rate from 36 to 34 % and double the time.
_FINAL_OPTIONS: dict[str, Any] = {"fwdflat": False, "maxhmmpf": 3000, "maxwpf": 20}
# Partials are rewritten anyway: they cost a third less so, and no pass at the end.
_LIVE_OPTIONS: dict[str, Any] = {
    "fwdflat": False,
    "bestpath": False,
    "maxhmmpf": 1500,
    "maxwpf": 10,
    "ds": 2,
}

# Below it more than half of the words are wrong: clean read speech lies between -0.15 and -0.5,
# speech that the model does not understand at all at -0.5 to -0.7.
_FLAG_AVG_LOGPROB = -0.7
_REJECT_AVG_LOGPROB = -0.9

_Pair = tuple["Connection[Any, Any]", "Connection[Any, Any]"]


def load(options: EngineOptions) -> Engine:
    """Starts the child processes and waits until they have loaded their models."""
    # find_spec and not an import: the library is for the children alone.
    if importlib.util.find_spec("pocketsphinx") is None:
        raise Unavailable(
            "ENGINE_NOT_INSTALLED",
            "the speech engine pocketsphinx is not installed: pip install -e '.[stt]'",
            missing="pocketsphinx",
        )
    folder = _language_model(options)
    files = {"lm": folder / _LANGUAGE_MODEL, "dict": folder / _DICTIONARY} if folder else {}
    return PocketSphinx(
        folder.name if folder else _ENTRY.own_model,
        {option: str(path) for option, path in files.items()},
        options.final_workers,
        options.live_decoders,
    )


def _language_model(options: EngineOptions) -> Path | None:
    """The folder of another language model; None for the decoder's own.

    A profile may go on naming a model of the engine that this one stands in for: that is let be.
    """
    if options.model in ("", _ENTRY.own_model):
        return None
    try:
        return checked(
            find_model(options.model, options.models_dir, needs=(_LANGUAGE_MODEL, _DICTIONARY))
        )
    except Unavailable as error:
        log.warning("model_left_alone", model=options.model, reason=str(error))
        return None


class PocketSphinx:
    """The Engine.

    Args:
        files: what replaces the decoder's own language model and dictionary.
    """

    name = "pocketsphinx"

    def __init__(
        self, model: str, files: Mapping[str, str], final_workers: int, live_decoders: int
    ) -> None:
        self.model = model
        self.capabilities = Capabilities(
            languages=("en",),
            live_decoders=live_decoders,
            word_times=False,
            held_back_words=2,
            partial_step_ms=400,
            flag_avg_logprob=_FLAG_AVG_LOGPROB,
            reject_avg_logprob=_REJECT_AVG_LOGPROB,
        )
        self._finals = [_Child("final", {**_FINAL_OPTIONS, **files}) for _ in range(final_workers)]
        self._idle_finals: queue.SimpleQueue[_Child] = queue.SimpleQueue()
        self._live = _Child("live", {**_LIVE_OPTIONS, **files}) if live_decoders else None
        self._free_slots = list(range(live_decoders))
        for child in self._finals:
            self._idle_finals.put(child)
        try:
            for child in self._children():
                child.wait_ready()
        except EngineFailed:
            self.close()
            raise

    def transcribe(self, samples: Samples, decoding: Decoding) -> Hypothesis:
        child = self._idle_finals.get()  # as many callers as children: no wait to speak of
        try:
            raw_words = child.call((_pcm(samples),), len(samples) / SAMPLE_RATE_HERTZ)
        finally:
            self._idle_finals.put(child)
        return hypothesis_of(raw_words)

    def open_live(self, decoding: Decoding) -> _LiveDecoder | None:
        if self._live is None or not self._free_slots:
            return None
        slot = self._free_slots.pop()
        try:
            self._live.call(("open", slot), 0)
        except EngineFailed:
            self._free_slots.append(slot)
            raise
        return _LiveDecoder(self._live, slot, self._free_slots)

    def close(self) -> None:
        for child in self._children():
            child.close()

    def _children(self) -> list[_Child]:
        return [*self._finals, *([self._live] if self._live is not None else [])]


class _LiveDecoder:
    """One slot of the live child."""

    def __init__(self, child: _Child, slot: int, free_slots: list[int]) -> None:
        self._child = child
        self._slot = slot
        self._free_slots = free_slots

    def start(self, decoding: Decoding) -> None:
        self._child.call(("start", self._slot), 0)

    def feed(self, samples: Samples) -> Hypothesis:
        duration_s = len(samples) / SAMPLE_RATE_HERTZ
        text: str = self._child.call(("feed", self._slot, _pcm(samples)), duration_s)
        words = shown_words(text.split())
        return Hypothesis(tuple(HypothesisWord(word, 0, 0, None) for word in words))

    def close(self) -> None:
        self._free_slots.append(self._slot)


def hypothesis_of(raw_words: Sequence[tuple[str, int, int, float]]) -> Hypothesis:
    """The Hypothesis for a decoder's (word, start_ms, end_ms, posterior) rows."""
    texts = shown_words([row[0] for row in raw_words])
    words = tuple(
        HypothesisWord(text, start_ms, end_ms, calibrated(posterior))
        for text, (_, start_ms, end_ms, posterior) in zip(texts, raw_words, strict=True)
    )
    if not words:
        return Hypothesis((), None)
    total = sum(math.log(word.probability) for word in words if word.probability)
    return Hypothesis(words, total / len(words))


def calibrated(posterior: float) -> float:
    """Probability that a word is right, from the decoder's posterior; both [0, 1].

    sigmoid(0.39 * logit(posterior) + 0.87), fitted on clean human speech.
    """
    clipped = min(max(posterior, 1e-4), 0.9999)
    return 1 / (1 + math.exp(-(0.39 * math.log(clipped / (1 - clipped)) + 0.87)))


def shown_words(words: Sequence[str]) -> list[str]:
    """The decoder's lower-case words as they are written: a capital first, and "I"."""
    shown = ["I" + word[1:] if word == "i" or word.startswith("i'") else word for word in words]
    if shown:
        shown[0] = shown[0][:1].upper() + shown[0][1:]
    return shown


def _pcm(samples: Samples) -> bytes:
    scaled = np.clip(samples * 32768.0, -32768, 32767)
    pcm: bytes = scaled.astype("<i2").tobytes()
    return pcm


class _Child:
    """One decoding process; started again when it has died. Its methods block."""

    def __init__(self, role: str, options: dict[str, Any]) -> None:
        self._role = role
        self._options = options
        self._lock = threading.Lock()
        self._is_ready = False
        self._is_closed = False
        self._start()

    def wait_ready(self) -> None:
        """Blocks until the model is loaded. Raises EngineFailed."""
        with self._lock:
            self._wait_ready()

    def call(self, request: tuple[Any, ...], audio_s: float) -> Any:
        """The answer to one request.

        Raises:
            EngineFailed: the process died, hung or refused; it has been started again.
        """
        with self._lock:
            if self._process.poll() is not None:  # died with nothing to do: nothing is lost
                self._restart("died while idle")
            self._wait_ready()
            return self._exchange(request, _CALL_TIMEOUT_S + _CALL_TIMEOUT_PER_AUDIO_S * audio_s)

    def close(self) -> None:
        """Ends the process, whatever it is doing: it keeps nothing."""
        self._is_closed = True
        self._process.kill()
        self._process.wait()
        with self._lock:  # a caller that waited for an answer has seen the end by now
            self._connection.close()

    def _start(self) -> None:
        pair: _Pair = Pipe()
        self._connection, theirs = pair
        with theirs:
            descriptor = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", _CHILD_MODULE, self._role, str(descriptor)],
                stdin=subprocess.DEVNULL,
                pass_fds=(descriptor,),
            )
        self._is_ready = False
        with contextlib.suppress(OSError):  # it is dead already: waiting for it says so
            self._connection.send(self._options)

    def _wait_ready(self) -> None:
        if not self._is_ready:
            self._receive(_START_TIMEOUT_S)
            self._is_ready = True

    def _exchange(self, request: tuple[Any, ...], timeout_s: float) -> Any:
        try:
            self._connection.send(request)
        except OSError as error:
            raise self._failed("died") from error
        kind, value = self._receive(timeout_s)
        if kind == "failed":
            raise EngineFailed(f"pocketsphinx refused a segment: {value}", engine="pocketsphinx")
        return value

    def _receive(self, timeout_s: float) -> tuple[str, Any]:
        try:
            if not self._connection.poll(timeout_s):
                raise self._failed(f"gave no answer in {timeout_s:.0f} s")
            message: tuple[str, Any] = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._failed("died") from error
        return message

    def _failed(self, what: str) -> EngineFailed:
        self._restart(what)
        return EngineFailed(
            f"a pocketsphinx process {what} and was started again; send the audio again",
            engine="pocketsphinx",
        )

    def _restart(self, what: str) -> None:
        if self._is_closed:
            return
        log.warning("engine_child_restarted", role=self._role, pid=self._process.pid, what=what)
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._connection.close()
        self._start()
