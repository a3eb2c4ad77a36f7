"""Clips as Whisper learns from them: log-mel features, and tokens with a weight each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from services.audio import SAMPLE_RATE_HERTZ
from services.errors import InvalidInput
from training.clips.folder import Clip
from training.recogniser.term_weights import Terms, token_weights

IGNORED = -100  # what PyTorch's cross entropy leaves out by default


class WhisperFolder:
    """The tokenizer and the features of a model as Hugging Face lays it out.

    Raises:
        InvalidInput: MODEL_UNUSABLE, saying what is missing.
    """

    def __init__(self, path: Path) -> None:
        from transformers import GenerationConfig, WhisperFeatureExtractor, WhisperTokenizer

        try:
            self.features = WhisperFeatureExtractor.from_pretrained(path, local_files_only=True)
            self.tokenizer = WhisperTokenizer.from_pretrained(path, local_files_only=True)
            self.generation = GenerationConfig.from_pretrained(path, local_files_only=True)
        except (OSError, ValueError) as error:
            raise InvalidInput(
                "MODEL_UNUSABLE",
                f"{path} is no Whisper as Hugging Face lays it out, with config.json, "
                f"model.safetensors, generation_config.json, preprocessor_config.json and the "
                f"tokenizer's files: {error}",
            ) from error
        self.path = path
        # An English-only model has no tokens for languages and tasks.
        self.is_multilingual = bool(getattr(self.generation, "is_multilingual", False))

    def prefix(self, language: str) -> list[int]:
        """The tokens between the first one and the text.

        Raises:
            InvalidInput: UNSUPPORTED_LANGUAGE.
        """
        names = (language, "transcribe") if self.is_multilingual else ()
        tokens = [f"<|{name}|>" for name in (*names, "notimestamps")]
        known = self.tokenizer.get_vocab()
        if (not self.is_multilingual and language != "en") or tokens[0] not in known:
            raise InvalidInput(
                "UNSUPPORTED_LANGUAGE", f"the model in {self.path} knows no {language!r}"
            )
        return [known[token] for token in tokens]

    def text(self, tokens: Sequence[int]) -> str:
        end = self.tokenizer.eos_token_id
        spoken = [token if token >= 0 else end for token in tokens]
        text: str = self.tokenizer.decode(spoken, skip_special_tokens=True)
        return text.strip()


@dataclass(frozen=True)
class Transcript:
    """Args:
    weights: of the tokens, 1 and more.
    """

    tokens: list[int]
    weights: list[float]


def transcript(
    folder: WhisperFolder, clip: Clip, terms: Mapping[str, Terms], term_weight: float
) -> Transcript:
    """What the decoder is to say of a clip, the token that starts it left out."""
    text = " " + clip.text  # as Whisper itself begins
    encoded = folder.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    spans = terms[clip.language].spans(text) if clip.language in terms else []
    prefix = folder.prefix(clip.language)
    weights = token_weights(encoded["offset_mapping"], spans, term_weight)
    return Transcript(
        [*prefix, *encoded["input_ids"], folder.tokenizer.eos_token_id],
        [*([1.0] * len(prefix)), *weights, 1.0],
    )


class WhisperClips(Dataset[dict[str, Any]]):
    """
    Args:
        order: indexes of clips; one can be there several times.
    """

    def __init__(
        self,
        folder: WhisperFolder,
        clips: Sequence[Clip],
        transcripts: Sequence[Transcript],
        order: Sequence[int],
    ) -> None:
        self._features = folder.features
        self._clips, self._transcripts, self._order = clips, transcripts, order

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, position: int) -> dict[str, Any]:
        import soundfile

        index = self._order[position]
        samples, rate_hertz = soundfile.read(self._clips[index].path, dtype="float32")
        if rate_hertz != SAMPLE_RATE_HERTZ or samples.ndim != 1:
            raise InvalidInput(
                "CLIPS_DAMAGED", f"{self._clips[index].path} is not mono at {SAMPLE_RATE_HERTZ} Hz"
            )
        features = self._features(samples, sampling_rate=SAMPLE_RATE_HERTZ)
        said = self._transcripts[index]
        return {
            "input_features": features.input_features[0],
            "labels": said.tokens,
            "label_weights": said.weights,
        }


def collated(examples: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
    """A batch: features float32 [B, mel, frames]; labels and their weights [B, longest].

    Behind the end of a shorter text, labels are IGNORED and weights 0.
    """
    longest = max(len(example["labels"]) for example in examples)

    def filled(name: str, filler: float) -> list[list[float]]:
        rows = (list(example[name]) for example in examples)
        return [row + [filler] * (longest - len(row)) for row in rows]

    features = np.stack([np.asarray(example["input_features"]) for example in examples])
    return {
        "input_features": torch.from_numpy(features.astype(np.float32)),
        "labels": torch.tensor(filled("labels", IGNORED), dtype=torch.long),
        "label_weights": torch.tensor(filled("label_weights", 0.0), dtype=torch.float32),
    }
