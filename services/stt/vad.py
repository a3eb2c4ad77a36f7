"""Voice activity: silero's ONNX model through onnxruntime, without torch.

Inputs of the model: `input` float32 (1, 64 + 512), the last 64 samples before the window in front;
`state` float32 (2, 1, 128); `sr` int64. Outputs: probability (1, 1) and the next state.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.audio import SAMPLE_RATE_HERTZ
from services.errors import Unavailable

# Its telemetry is on by default: it would tell its maker what runs here. It reads this once, on
# import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

WINDOW_SAMPLES = 512
_CONTEXT_SAMPLES = 64
# Either package carries the model; neither is imported, because silero_vad wants torch.
_MODEL_FILES = (
    ("silero_vad", "data/silero_vad.onnx"),
    ("faster_whisper", "assets/silero_vad_v6.onnx"),
)


def model_path() -> Path:
    """The model's file. Raises Unavailable (ENGINE_NOT_INSTALLED) when no package has it."""
    for package, file in _MODEL_FILES:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
            path = Path(folder) / file
            if path.is_file():
                return path
    raise Unavailable(
        "ENGINE_NOT_INSTALLED",
        "the voice activity model is missing: pip install --no-deps silero-vad",
        missing="silero-vad",
    )


class VoiceActivityModel:
    """The loaded model, shared by all streams; each has its own VoiceActivity."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        # A window takes 0.1 ms: more threads only get in each other's way.
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            str(model_path()), sess_options=options, providers=["CPUExecutionProvider"]
        )


class VoiceActivity:
    """Speech probabilities of one stream, window by window."""

    def __init__(self, model: VoiceActivityModel) -> None:
        self._session = model.session
        self._sample_rate_hertz = np.array(SAMPLE_RATE_HERTZ, dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        """Forgets what came before, as at the beginning of a stream."""
        self._has_heard = False
        self._state = np.zeros((2, 1, 128), dtype=np.float32)
        self._input = np.zeros((1, _CONTEXT_SAMPLES + WINDOW_SAMPLES), dtype=np.float32)

    def probability(self, window: NDArray[np.float32]) -> float:
        """Probability of speech in the next 512 samples, [0, 1].

        Digital silence is 0 without asking, and what follows it begins afresh: hours of it (a
        muted desk) cost next to nothing.
        """
        if not window.any():
            if self._has_heard:
                self.reset()
            return 0.0
        self._has_heard = True
        self._input[0, :_CONTEXT_SAMPLES] = self._input[0, -_CONTEXT_SAMPLES:]
        self._input[0, _CONTEXT_SAMPLES:] = window
        output, self._state = self._session.run(
            None, {"input": self._input, "state": self._state, "sr": self._sample_rate_hertz}
        )
        return float(output[0, 0])
