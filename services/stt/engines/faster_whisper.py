"""Whisper through faster-whisper and CTranslate2: NVIDIA cards (int8_float16) and CPUs (int8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ctranslate2
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens

from services.audio import SAMPLE_RATE_HERTZ
from services.errors import Unavailable
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

_NAME = "faster_whisper"
_FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.json|vocabulary.txt")
# Cards without tensor cores for float16 compute the same weights in float32.
_AUTO_COMPUTE_TYPES = {
    "cuda": ("int8_float16", "int8_float32", "float32"),
    "cpu": ("int8", "float32"),
}
_FRAME_SAMPLES = 160
# As openai/whisper has them: marks that belong to the word after or before them.
_PREPENDED = "\"'“¿([{-"
_APPENDED = "\"'.。,，!！?？:：”)]}、"


def load(options: EngineOptions) -> Engine:
    """Loads a folder that CTranslate2's converter wrote; no hub is ever asked."""
    folder = checked(find_model(options.model, options.models_dir, needs=_FILES))
    device = _device(options.device)
    compute_type = _compute_type(options.compute_type, device)
    with whisper.as_engine_failed(_NAME, f"load the model in {folder}"):
        model = WhisperModel(
            str(folder),
            device=device,
            compute_type=compute_type,
            cpu_threads=options.threads,
            # One more than finals need, so that a final never waits behind a partial.
            num_workers=options.final_workers + 1,
            local_files_only=True,
        )
    _check_features(model, folder)
    return FasterWhisper(model, folder.resolve().name, options.beam_size)


def _device(asked: str) -> str:
    has_cuda = ctranslate2.get_cuda_device_count() > 0
    if asked == "auto":
        return "cuda" if has_cuda else "cpu"
    if asked == "cuda" and not has_cuda:
        raise whisper.no_such_device(_NAME, "a CUDA device")
    return asked


def _compute_type(asked: str, device: str) -> str:
    supported = ctranslate2.get_supported_compute_types(device)
    if asked == "auto":
        return next(kind for kind in _AUTO_COMPUTE_TYPES[device] if kind in supported)
    # The library itself would take another one in silence.
    if asked not in supported:
        raise whisper.no_such_compute_type(_NAME, asked, supported)
    return asked


def _check_features(model: Any, folder: Path) -> None:
    """Whisper has 80 mel bands unless its preprocessor says otherwise; large-v3 has 128."""
    given, wanted = len(model.feature_extractor.mel_filters), model.model.n_mels
    if given != wanted:
        raise Unavailable(
            "MODEL_MISSING",
            f"the model in {folder} has {wanted} mel bands and no preprocessor_config.json that "
            "says so; it is damaged or of another kind: ./glossa models verify",
            model=folder,
            missing="preprocessor_config.json",
        )


class FasterWhisper:
    """The Engine.

    CTranslate2 lets go of the interpreter's lock while it encodes, decodes and aligns, so other
    threads go on meanwhile: it needs no process of its own.
    """

    name = _NAME

    def __init__(self, model: Any, model_name: str, beam_size: int) -> None:
        self.model = model_name
        self._model = model
        self._beam_size = beam_size
        self._is_closed = False
        has_token = model.hf_tokenizer.token_to_id
        self.capabilities = whisper.capabilities(
            language
            for language in model.supported_languages
            # The library lists those of the newest model for all of them.
            if not model.model.is_multilingual or has_token(f"<|{language}|>") is not None
        )

    def transcribe(self, samples: Samples, decoding: Decoding) -> Hypothesis:
        window = whisper.window_of(samples)
        if self._is_closed:
            raise whisper.closed(_NAME)
        with whisper.as_engine_failed(_NAME, "decode a segment"):
            return self._transcribe(window, samples, decoding)

    def open_live(self, decoding: Decoding) -> LiveDecoder | None:
        return None

    def close(self) -> None:
        self._is_closed = True
        self._model.model.unload_model()  # waits for decodes under way

    def _transcribe(self, window: Samples, samples: Samples, decoding: Decoding) -> Hypothesis:
        model = self._model
        tokenizer = Tokenizer(
            model.hf_tokenizer,
            model.model.is_multilingual,
            task="transcribe",
            language=decoding.language,
        )
        prompt = whisper.prompt_tokens(decoding, tokenizer.encode)
        start = [*([tokenizer.sot_prev, *prompt] if prompt else []), *tokenizer.sot_sequence]
        start.append(tokenizer.no_timestamps)
        encoded = model.encode(pad_or_trim(model.feature_extractor(window)[..., :-1]))
        [result] = model.model.generate(
            encoded,
            [start],
            max_length=len(start) + whisper.new_tokens_limit(samples, prompt),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            **self._search(decoding.temperature),
        )
        tokens = result.sequences_ids[0]
        # The score is the mean over the tokens; the end of the text counts as one more.
        avg_logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        segment = {
            "seek": 0,
            "start": 0.0,
            "end": len(window) / SAMPLE_RATE_HERTZ,
            "tokens": tokens,
            "words": [],
        }
        if tokens:
            model.add_word_timestamps(
                [[segment]],
                tokenizer,
                encoded,
                len(window) // _FRAME_SAMPLES,
                _PREPENDED,
                _APPENDED,
                last_speech_timestamp=0.0,
            )
        words = (
            whisper.TimedWord(word["word"], word["start"], word["end"], word["probability"])
            for word in segment["words"]
        )
        return whisper.hypothesis_of(words, avg_logprob, result.no_speech_prob, samples)

    def _search(self, temperature: float) -> dict[str, Any]:
        if temperature == 0:
            return {"beam_size": self._beam_size}
        # As many samples as there would be beams; the likeliest is taken.
        return {
            "beam_size": 1,
            "num_hypotheses": self._beam_size,
            "sampling_topk": 0,
            "sampling_temperature": temperature,
        }
