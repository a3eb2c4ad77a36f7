"""Whisper through mlx-whisper: Apple's chips, and CPUs under Linux."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import mlx.core as mx
import numpy as np
from mlx_whisper import audio, decoding, timing
from mlx_whisper.load_models import load_model
from mlx_whisper.tokenizer import LANGUAGES, get_tokenizer

from services.audio import SAMPLE_RATE_HERTZ
from services.errors import EngineFailed
from services.model_files import checked, find_model
from services.stt.engine import (
    Decoding,
    Engine,
    EngineOptions,
    Hypothesis,
    LiveDecoder,
    Samples,
)
from services.stt.engines import whisper

_NAME = "mlx_whisper"
_FILES = ("config.json", "weights.safetensors|weights.npz")
_DTYPES = {"float16": mx.float16, "float32": mx.float32}
# The library keeps filters and windows for all models, and they must not be computed by two
# threads at once: the first decode of each engine, which makes them, happens under this lock.
_LOADING = threading.Lock()

Result = TypeVar("Result")


def load(options: EngineOptions) -> Engine:
    """Loads a folder in MLX's format and decodes once; no hub is ever asked."""
    folder = checked(find_model(options.model, options.models_dir, needs=_FILES))
    device = _device(options.device)
    compute_type = options.compute_type
    if compute_type == "auto":
        compute_type = "float32" if device == mx.cpu else "float16"
    if compute_type not in _DTYPES:
        raise whisper.no_such_compute_type(_NAME, compute_type, _DTYPES)
    engine = MlxWhisper(folder, device, _DTYPES[compute_type])
    try:
        with _LOADING, whisper.as_engine_failed(_NAME, f"load the model in {folder}"):
            engine.start()
    except EngineFailed:
        engine.close()
        raise
    return engine


def _device(asked: str) -> Any:
    if asked == "cpu":
        return mx.cpu
    has_gpu = mx.is_available(mx.gpu)
    if asked == "cuda" and not (has_gpu and mx.cuda.is_available()):
        raise whisper.no_such_device(_NAME, "a CUDA device")
    return mx.gpu if has_gpu else mx.cpu


class MlxWhisper:
    """The Engine. It decodes one segment at a time, greedily: the library has no beam search.

    Everything happens in one thread of its own, because what MLX computes belongs to the thread
    that began it. MLX lets go of the interpreter's lock while it computes.
    """

    name = _NAME

    def __init__(self, folder: Path, device: Any, dtype: Any) -> None:
        self.model = folder.resolve().name
        self.capabilities = whisper.capabilities(())
        self._folder = folder
        self._device = device
        self._dtype = dtype
        self._model: Any = None
        self._is_closed = False
        self._thread = ThreadPoolExecutor(1, "mlx-whisper")

    def start(self) -> None:
        """Loads the model; blocks. Raises what the library raises."""
        self._run(self._load)
        self.capabilities = whisper.capabilities(
            list(LANGUAGES)[: self._model.num_languages] if self._model.is_multilingual else ("en",)
        )
        # The alignment is compiled at its first use, in seconds: not while someone speaks.
        self._run(timing.dtw, np.zeros((2, 2), dtype=np.float32))
        clip = np.zeros(SAMPLE_RATE_HERTZ, dtype=np.float32)
        self._run(self._transcribe, clip, clip, Decoding(self.capabilities.languages[0]))

    def transcribe(self, samples: Samples, decoding: Decoding) -> Hypothesis:
        window = whisper.window_of(samples)
        if self._is_closed:
            raise whisper.closed(_NAME)
        with whisper.as_engine_failed(_NAME, "decode a segment"):
            return self._run(self._transcribe, window, samples, decoding)

    def open_live(self, decoding: Decoding) -> LiveDecoder | None:
        return None

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._run(self._unload)  # behind decodes under way
        self._thread.shutdown()

    def _run(self, work: Callable[..., Result], *args: object) -> Result:
        return self._thread.submit(work, *args).result()

    def _load(self) -> None:
        mx.set_default_device(self._device)
        model = load_model(str(self._folder), dtype=self._dtype)
        # One type throughout: the library refuses features of another one than it asked for.
        model.set_dtype(self._dtype)
        mx.eval(model.parameters())
        self._model = model

    def _transcribe(self, window: Samples, samples: Samples, asked: Decoding) -> Hypothesis:
        model = self._model
        tokenizer = get_tokenizer(
            model.is_multilingual,
            num_languages=model.num_languages,
            language=asked.language,
            task="transcribe",
        )
        prompt = whisper.prompt_tokens(asked, tokenizer.encode)
        mel = audio.log_mel_spectrogram(window, n_mels=model.dims.n_mels)
        mel = audio.pad_or_trim(mel, audio.N_FRAMES, axis=-2).astype(self._dtype)
        result = model.decode(
            mel,
            decoding.DecodingOptions(
                language=asked.language,
                temperature=asked.temperature,
                sample_len=whisper.new_tokens_limit(samples, prompt),
                prompt=prompt,
                without_timestamps=True,
                fp16=self._dtype == mx.float16,
            ),
        )
        segment = {
            "seek": 0,
            "start": 0.0,
            "end": len(window) / SAMPLE_RATE_HERTZ,
            "tokens": result.tokens,
            "words": [],
        }
        if result.tokens:
            timing.add_word_timestamps(
                segments=[segment],
                model=model,
                tokenizer=tokenizer,
                mel=mel,
                num_frames=len(window) // audio.HOP_LENGTH,
                last_speech_timestamp=0.0,
            )
        words = (
            whisper.TimedWord(word["word"], word["start"], word["end"], word["probability"])
            for word in segment["words"]
        )
        return whisper.hypothesis_of(words, result.avg_logprob, result.no_speech_prob, samples)

    def _unload(self) -> None:
        self._model = None
        mx.clear_cache()
        mx.clear_streams()
