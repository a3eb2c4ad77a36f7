"""Partials of an engine without live decoders: the segment so far, decoded again and again."""

from __future__ import annotations

import numpy as np

from services.stt.engine import Decoding, Engine, Hypothesis, Samples


class Redecoder:
    """The LiveDecoder over Engine.transcribe. A step costs a decode of the whole segment so far."""

    def __init__(self, engine: Engine, decoding: Decoding) -> None:
        self._engine = engine
        self._decoding = decoding
        self._samples = np.zeros(0, dtype=np.float32)

    def start(self, decoding: Decoding) -> None:
        self._decoding = decoding
        self._samples = np.zeros(0, dtype=np.float32)

    def feed(self, samples: Samples) -> Hypothesis:
        self._samples = np.concatenate([self._samples, samples])
        return self._engine.transcribe(self._samples, self._decoding)

    def close(self) -> None:
        self._samples = np.zeros(0, dtype=np.float32)
