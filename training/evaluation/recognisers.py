"""A recogniser to be judged, and the speech that it is judged on.

pocketsphinx                    the engines of services/stt, and their models:
faster_whisper:models/turbo     a folder of CTranslate2
transformers:run/model          a Whisper folder of a trainer
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.audio import SAMPLE_RATE_HERTZ
from services.collector.audio_folder import MAX_CLIP_MS, METADATA
from services.errors import InvalidInput
from services.stt.engine import ENGINES, Decoding, EngineOptions, Samples, loader
from training.evaluation.translators import TRANSFORMERS, existing_folder, size_bytes
from training.text_lines import text_lines

_MANIFEST = "manifest.jsonl"


class Recogniser(Protocol):
    model: str
    size_bytes: int | None

    def hear(self, samples: Samples, language: str) -> str:
        """What is said in one clip. Raises GlossaError."""

    def close(self) -> None:
        """Gives everything back."""


@dataclass(frozen=True)
class Clip:
    """A recording and what is said in it.

    Args:
        group: its speaker or session; "" when nobody says.
        session_id: "" where it is of no session.
        source_sha256: of the file that training.audio made it of; "" where it did not.
    """

    path: Path
    text: str
    language: str
    group: str = ""
    session_id: str = ""
    source_sha256: str = ""

    @property
    def duration_ms(self) -> float:
        """Raises InvalidInput."""
        import soundfile

        try:
            return float(soundfile.info(self.path).duration) * 1000
        except (OSError, soundfile.LibsndfileError) as error:
            raise InvalidInput("BAD_SPEECH", f"cannot read {self.path}: {error}") from error

    def samples(self) -> Samples:
        """Mono, 16 kHz. Raises InvalidInput."""
        import soundfile

        try:
            sound, rate_hertz = soundfile.read(self.path, dtype="float32", always_2d=True)
        except (OSError, soundfile.LibsndfileError) as error:
            raise InvalidInput("BAD_SPEECH", f"cannot read {self.path}: {error}") from error
        mono: NDArray[np.float32] = sound.mean(axis=1, dtype=np.float32)
        if rate_hertz != SAMPLE_RATE_HERTZ:
            import soxr

            mono = soxr.resample(mono, rate_hertz, SAMPLE_RATE_HERTZ)
        return mono


def read_clips(path: Path, language: str) -> list[Clip]:
    """The clips of a language: an audiofolder's metadata.jsonl, a manifest.jsonl, or their folder.

    Clips longer than a recogniser's window are left out.

    Raises:
        InvalidInput: BAD_SPEECH.
    """
    files = [path] if path.is_file() else sorted(path.rglob(METADATA))
    if not files and (path / _MANIFEST).is_file():
        files = [path / _MANIFEST]
    clips = [
        clip
        for file in files
        for clip in _clips(file)
        if clip.language in ("", language) and clip.duration_ms <= MAX_CLIP_MS
    ]
    if not clips:
        raise InvalidInput(
            "BAD_SPEECH",
            f"{path} holds no speech in {language!r}: a folder with {METADATA} (file_name, text) "
            f"or {_MANIFEST} (file, text, lang), or one of these files",
        )
    return clips


def read_speech(named: Sequence[str], language: str) -> dict[str, list[Clip]]:
    """The clips of each "NAME=FOLDER". Raises InvalidInput: BAD_SPEECH."""
    clips = {}
    for each in named:
        name, _, path = each.partition("=")
        if not (name and path):
            raise InvalidInput("BAD_SPEECH", f"{each!r} is not NAME=FOLDER")
        clips[name] = read_clips(Path(path), language)
    return clips


def load_recogniser(spec: str, *, threads: int = 1) -> Recogniser:
    """The recogniser that ENGINE[:PATH] names.

    Raises:
        InvalidInput: UNKNOWN_ENGINE, MODEL_MISSING.
        Unavailable: as loaders of services.stt do, saying what to install or to get.
    """
    engine, _, model = spec.partition(":")
    if engine == TRANSFORMERS:
        return _WhisperFolder(existing_folder(model), threads)
    if engine not in ENGINES:
        raise InvalidInput(
            "UNKNOWN_ENGINE",
            f"there is no recogniser {spec!r}; it is ENGINE or ENGINE:PATH, with an engine of "
            f"{', '.join(sorted([*ENGINES, TRANSFORMERS]))}",
        )
    return _ServiceRecogniser(engine, model, threads)


class _ServiceRecogniser:
    def __init__(self, name: str, model: str, threads: int) -> None:
        options = EngineOptions(model=model or ENGINES[name].model, threads=threads)
        self._engine = loader(name)(options)
        self.model = f"{name}/{self._engine.model}"
        self.size_bytes = size_bytes(Path(model)) if model and Path(model).exists() else None

    def hear(self, samples: Samples, language: str) -> str:
        return self._engine.transcribe(samples, Decoding(language)).text

    def close(self) -> None:
        self._engine.close()


class _WhisperFolder:
    """A WhisperForConditionalGeneration, or a LoRA adapter of one, as training.whisper writes."""

    def __init__(self, folder: Path, threads: int) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"
        import torch
        from transformers import WhisperForConditionalGeneration, WhisperProcessor

        torch.set_num_threads(threads)
        self.model = f"{TRANSFORMERS}/{folder.resolve().name}"
        self.size_bytes: int | None = size_bytes(folder)
        base = folder
        if (folder / "adapter_config.json").is_file():
            settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
            base = existing_folder(settings["base_model_name_or_path"])
        model: Any = WhisperForConditionalGeneration.from_pretrained(base, local_files_only=True)
        if base != folder:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
        self._processor: Any = WhisperProcessor.from_pretrained(base, local_files_only=True)
        self._model: Any = model.eval().to("cuda" if torch.cuda.is_available() else "cpu")

    def hear(self, samples: Samples, language: str) -> str:
        import torch

        given = self._processor(samples, sampling_rate=SAMPLE_RATE_HERTZ, return_tensors="pt")
        with torch.inference_mode():
            made = self._model.generate(
                given.input_features.to(self._model.device), language=language, task="transcribe"
            )
        return str(self._processor.batch_decode(made, skip_special_tokens=True)[0]).strip()

    def close(self) -> None:
        self._model = None


def _clips(file: Path) -> Iterator[Clip]:
    try:
        lines = text_lines(file)
    except OSError as error:
        raise InvalidInput("BAD_SPEECH", f"cannot read {file}: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            path = file.parent / (row.get("file_name") or row["file"])
            clip = Clip(
                path,
                str(row.get("text") or row["transcription"]),
                str(row.get("language") or row.get("lang") or ""),
                str(row.get("session_id") or row.get("speaker") or ""),
                str(row.get("session_id") or ""),
                str(row.get("source_sha256") or ""),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(
                "BAD_SPEECH", f"{file}, line {number}, names no clip: {error!r}"
            ) from error
        if not path.is_file():
            raise InvalidInput("BAD_SPEECH", f"{file} names {path}, which is not there")
        yield clip
