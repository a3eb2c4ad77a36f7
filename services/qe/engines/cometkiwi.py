"""A learned quality estimate: CometKiwi (Rei et al. 2022), or another UnifiedMetric.

A model's folder is laid out as Unbabel/wmt22-cometkiwi-da is: hparams.yaml and
checkpoints/model.ckpt. Config and tokenizer of its encoder come from a folder, too; its weights are
in the checkpoint. The model is called directly: a Trainer for each request, as `predict()` makes
one, takes four times as long and gives the same scores.
"""

from __future__ import annotations

import inspect
import math
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import torch
import yaml
from comet.models.multitask.unified_metric import UnifiedMetric

from services.errors import GlossaError, Unavailable
from services.model_files import CHECKPOINT, checked, find_model
from services.qe.engine import ENGINES, LEARNED, SMOKE_PAIR, Pair, Signal

if TYPE_CHECKING:
    from services.qe.settings import QeSettings

log = structlog.get_logger()

SIGNAL = "translation_qe"
_HPARAMS = "hparams.yaml"
_ENCODER_FILES = ("config.json", "tokenizer.json|sentencepiece.bpe.model")
# In checkpoints of earlier library versions; no score depends on them.
_UNUSED_WEIGHTS = ("encoder.model.embeddings.position_ids", "encoder.model.pooler.")
# <s> translation </s></s> source </s>
_SPECIAL_TOKENS = 4
# Padding costs as much as text: a forward pass takes pairs of about one length.
_LEAST_FILLED = 0.75
_MAX_PASS_TOKENS = 4096


def load(settings: QeSettings) -> CometKiwiEngine:
    """Loads, checks and tries the model that `settings` name.

    Raises:
        Unavailable: MODEL_MISSING, MODEL_ALTERED, MODEL_UNSAFE, MODEL_UNUSABLE, NO_CARD.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    device = _device(settings.device)
    dtype = _dtype(settings.dtype, device)
    model = settings.model or ENGINES[LEARNED].model
    folder = checked(
        find_model(model, settings.models_dir, needs=(_HPARAMS, CHECKPOINT)),
        weights_only=(CHECKPOINT,),
    )
    metric = _metric(folder, settings).eval()
    # The encoder alone: in 16 bits the head would round a score to two digits.
    metric.encoder.to(dtype)
    metric.encoder.register_forward_hook(_head_in_32_bits)
    engine = CometKiwiEngine(metric.to(device), folder.name)
    ((signal,),) = engine.score([SMOKE_PAIR])
    if signal.value is None:
        raise _unusable(folder, f"it cannot score a plain sentence ({signal.model})")
    log.info(
        "cometkiwi_loaded",
        folder=str(folder),
        device=device,
        dtype=str(dtype).removeprefix("torch."),
        threads=torch.get_num_threads(),
    )
    return engine


class CometKiwiEngine:
    """One UnifiedMetric in evaluation mode.

    Args:
        metric: on its device; its encoder's outputs are in 32 bits.
        model_name: of its folder.
    """

    name = LEARNED
    signal_names = (SIGNAL,)

    def __init__(self, metric: Any, model_name: str) -> None:
        self.model = f"{LEARNED}/{model_name}"
        self._metric = metric
        self._tokenizer = metric.encoder.tokenizer
        self._control_tokens = tuple(self._tokenizer.all_special_tokens)
        self._max_tokens = metric.encoder.max_positions

    def score(self, pairs: Sequence[Pair]) -> list[tuple[Signal, ...]]:
        texts = [(self._plain(pair.source_text), self._plain(pair.target_text)) for pair in pairs]
        lengths = self._token_counts(texts)
        fitting = [at for at, length in enumerate(lengths) if 0 < length <= self._max_tokens]
        values: dict[int, float] = {}
        for batch in passes_by_length([lengths[at] for at in fitting]):
            indices = [fitting[position] for position in batch]
            values.update(zip(indices, self._forward([texts[at] for at in indices]), strict=True))
        return [(self._signal(lengths[at], values.get(at)),) for at in range(len(pairs))]

    def close(self) -> None:
        del self._metric
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _plain(self, text: str) -> str:
        """`text` without control tokens: a "</s>" that was said must not end the sequence."""
        for token in self._control_tokens:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _token_counts(self, texts: Sequence[tuple[str, str]]) -> list[int]:
        """Tokens of each source and target as the model reads them; 0 when one of them has none."""
        sides = [
            self._tokenizer(list(side), add_special_tokens=False, verbose=False)["input_ids"]
            for side in zip(*texts, strict=True)
        ]
        return [
            len(source) + len(target) + _SPECIAL_TOKENS if source and target else 0
            for source, target in zip(*sides, strict=True)
        ]

    def _forward(self, texts: Sequence[tuple[str, str]]) -> list[float]:
        with torch.inference_mode():
            (inputs,) = self._metric.prepare_sample(
                [{"src": source, "mt": target} for source, target in texts], stage="predict"
            )
            on_device = {
                name: value.to(self._metric.device)
                for name, value in inputs.items()
                if torch.is_tensor(value)
            }
            scores: list[float] = self._metric(**on_device).score.float().tolist()
        return scores

    def _signal(self, length: int, value: float | None) -> Signal:
        if length == 0:
            return Signal(SIGNAL, None, f"{self.model}: NO_TEXT")
        if length > self._max_tokens:
            # It would be scored without its end.
            return Signal(SIGNAL, None, f"{self.model}: TEXT_TOO_LONG")
        if value is None or math.isnan(value):
            return Signal(SIGNAL, None, f"{self.model}: NOT_A_NUMBER")
        return Signal(SIGNAL, min(1.0, max(0.0, value)), self.model)


def passes_by_length(lengths: Sequence[int]) -> list[list[int]]:
    """The indices of `lengths` in forward passes, short ones first, with little padding in each."""
    passes: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        batch = [*passes[-1], index] if passes else [index]
        padded = lengths[index] * len(batch)
        filled = sum(lengths[at] for at in batch)
        if passes and padded <= _MAX_PASS_TOKENS and filled >= _LEAST_FILLED * padded:
            passes[-1] = batch
        else:
            passes.append([index])
    return passes


def _metric(folder: Path, settings: QeSettings) -> Any:
    """The UnifiedMetric of `folder` with all of its weights, and with no others."""
    said = _hparams(folder)
    checkpoint = _checkpoint(folder)
    hparams = {
        name: value
        for name, value in checkpoint["hyper_parameters"].items()
        if name in inspect.signature(UnifiedMetric).parameters
    }
    encoder = _encoder(folder, settings, str(hparams.get("pretrained_model", "")))
    if said.get("layer_transformation") == "sparsemax_patch":
        # Trained when the library computed softmax under that name; read so by load_from_checkpoint
        # of unbabel-comet 2.2.4 and later (Unbabel/COMET#244).
        hparams["layer_transformation"] = "softmax"
    try:
        metric = UnifiedMetric(
            **{
                **hparams,
                "pretrained_model": str(encoder),
                "load_pretrained_weights": False,
                "local_files_only": True,
            }
        )
        missing, unexpected = metric.load_state_dict(checkpoint["state_dict"], strict=False)
    except (RuntimeError, KeyError, TypeError, ValueError, OSError) as error:
        raise _unusable(folder, f"it does not fit its encoder in {encoder}: {error}") from error
    unknown = [name for name in unexpected if not name.startswith(_UNUSED_WEIGHTS)]
    if missing or unknown:
        # What is missing would stay random, and its scores would look plausible.
        listed = f"no {', '.join(missing[:3])}" if missing else f"unknown {', '.join(unknown[:3])}"
        raise _unusable(folder, f"its weights are not those of its kind of model: {listed}")
    if metric.requires_references():
        raise _unusable(folder, "it compares with a reference and cannot judge without one")
    return metric


def _hparams(folder: Path) -> dict[str, Any]:
    try:
        said = yaml.safe_load((folder / _HPARAMS).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unusable(folder, f"its {_HPARAMS} cannot be read: {error}") from error
    kind = said.get("class_identifier") if isinstance(said, dict) else None
    if kind != "unified_metric":
        raise _unusable(
            folder, f"its {_HPARAMS} says {kind!r}; only a unified_metric scores without reference"
        )
    return dict(said)


def _checkpoint(folder: Path) -> dict[str, Any]:
    try:
        # Weights alone: a checkpoint is a pickle, and could otherwise run a program of its own.
        checkpoint = torch.load(
            folder / CHECKPOINT, map_location="cpu", mmap=True, weights_only=True
        )
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise _unusable(folder, f"its {CHECKPOINT} cannot be read: {error}") from error
    if not isinstance(checkpoint, dict) or not checkpoint.keys() >= {
        "state_dict",
        "hyper_parameters",
    }:
        raise _unusable(folder, f"its {CHECKPOINT} is no checkpoint of unbabel-comet")
    return checkpoint


def _encoder(folder: Path, settings: QeSettings, named: str) -> Path:
    """The folder of the encoder's config and tokenizer."""
    if not settings.encoder and (folder / "encoder").is_dir():
        return find_model(str(folder / "encoder"), settings.models_dir, needs=_ENCODER_FILES)
    try:
        found = find_model(settings.encoder or named, settings.models_dir, needs=_ENCODER_FILES)
        return checked(found)
    except GlossaError as error:
        raise Unavailable(
            error.reason, f"the encoder of the model in {folder}: {error.message}", **error.metadata
        ) from error


def _device(wanted: str) -> str:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise Unavailable(
            "NO_CARD",
            "no NVIDIA card answers to this environment's torch; set GLOSSA_QE_DEVICE=cpu",
        )
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def _dtype(wanted: str, device: str) -> torch.dtype:
    if wanted != "auto":
        return getattr(torch, wanted)
    if device == "cuda":
        return torch.float16
    # Where a CPU has no instructions for it, bfloat16 takes longer than float32.
    able = torch.cpu.get_capabilities()
    has_bfloat16 = any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.bfloat16 if has_bfloat16 else torch.float32


def _head_in_32_bits(module: Any, inputs: Any, outputs: dict[str, Any]) -> dict[str, Any]:
    return {**outputs, "all_layers": tuple(layer.float() for layer in outputs["all_layers"])}


def _unusable(folder: Path, why: str) -> Unavailable:
    return Unavailable(
        "MODEL_UNUSABLE",
        f"the model in {folder} is not used: {why}. ./glossa models verify says whether it is "
        "damaged",
        model=folder.name,
    )
