"""Translators from folders that trainers write: MarianMT, a causal model, or an adapter for one."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.errors import InvalidInput
from services.languages import max_new_tokens
from services.marian import FINAL_BEAM_SIZE, MAX_TARGET_TOKENS, sentences
from services.mt.engine import LanguagePair, Rendering
from training.evaluation.translators import EngineTranslator, Translator, size_bytes

_BATCH = 16


def load_folder(folder: Path, pair: LanguagePair, threads: int) -> Translator:
    """The model of a folder; on a CUDA device where there is one.

    Raises:
        InvalidInput: MODEL_UNUSABLE.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch

    torch.set_num_threads(threads)
    name = f"transformers/{folder.resolve().name}"
    if (folder / "adapter_config.json").is_file():
        base = Path(_json(folder / "adapter_config.json")["base_model_name_or_path"])
        if not base.is_dir():
            raise InvalidInput(
                "MODEL_UNUSABLE",
                f"{folder} is an adapter for the model in {base}, which is not there; put it "
                "there, or merge them with training.export",
            )
        return EngineTranslator(_causal(base, pair, name, adapter=folder), pair, name, base)
    if not (folder / "config.json").is_file():
        raise InvalidInput("MODEL_UNUSABLE", f"{folder} has neither config.json nor an adapter's")
    if _json(folder / "config.json").get("model_type") == "marian":
        return MarianFolder(folder, name)
    return EngineTranslator(_causal(folder, pair, name), pair, name, folder)


class MarianFolder:
    """A MarianMTModel with its tokenizer, before it is converted for the service."""

    def __init__(self, folder: Path, name: str) -> None:
        import torch
        from transformers import MarianMTModel, MarianTokenizer

        self.model = name
        self.size_bytes: int | None = size_bytes(folder)
        self._tokenizer = MarianTokenizer.from_pretrained(folder, local_files_only=True)
        model, report = MarianMTModel.from_pretrained(
            folder, local_files_only=True, output_loading_info=True
        )
        _refuse_missing(report, folder)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model: Any = model.eval().to(self._device)

    def translate(self, texts: Sequence[str], *, draft: bool = False) -> list[str]:
        # Sentence by sentence, as the service asks its Marian models.
        units = [list(sentences(text)) for text in texts]
        made = iter(self._translated([unit for text in units for unit in text], draft))
        return [" ".join(next(made) for _ in text) for text in units]

    def renderings(self, texts: Sequence[str]) -> list[Rendering]:
        return [Rendering(text) for text in self.translate(texts)]

    def _translated(self, units: Sequence[str], draft: bool) -> list[str]:
        import torch

        answers = [""] * len(units)
        # Padding costs as much as text: units of about one length go together.
        order = sorted(range(len(units)), key=lambda at: len(units[at]))
        for first in range(0, len(order), _BATCH):
            batch = order[first : first + _BATCH]
            given = self._tokenizer(
                [units[at] for at in batch],
                return_tensors="pt",
                padding=True,
                truncation=True,
                max_length=MAX_TARGET_TOKENS,
            ).to(self._device)
            with torch.inference_mode():
                made = self._model.generate(
                    **given,
                    num_beams=1 if draft else FINAL_BEAM_SIZE,
                    do_sample=False,
                    max_new_tokens=min(
                        max_new_tokens(given["input_ids"].shape[1]), MAX_TARGET_TOKENS
                    ),
                )
            decoded = self._tokenizer.batch_decode(made, skip_special_tokens=True)
            for at, text in zip(batch, decoded, strict=True):
                answers[at] = text.strip()
        return answers

    def close(self) -> None:
        self._model = None


def _causal(folder: Path, pair: LanguagePair, name: str, adapter: Path | None = None) -> Any:
    """A causal model in its own precision, asked with the prompts of the service."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from services.mt.engine import Capabilities
    from services.mt.engines.bitsandbytes import BitsandbytesEngine
    from services.mt.engines.hf_model import PromptTokenizer

    has_cuda = torch.cuda.is_available()
    model, report = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.bfloat16 if has_cuda else torch.float32,
        device_map={"": "cuda" if has_cuda else "cpu"},
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    _refuse_missing(report, folder)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    tokenizer = AutoTokenizer.from_pretrained(
        adapter if adapter is not None and (adapter / "tokenizer_config.json").exists() else folder,
        local_files_only=True,
        trust_remote_code=False,
        padding_side="left",
    )
    eos = model.generation_config.eos_token_id
    prompts = PromptTokenizer(
        tokenizer,
        family="auto",
        model_name=folder.name,
        context_tokens=2048,
        eos_ids=eos if isinstance(eos, list) else [eos],
    )
    return BitsandbytesEngine(
        name,
        model.eval(),
        None,
        prompts,
        pad_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0,
        capabilities=Capabilities(pairs=(pair,), streams=True, max_batch=_BATCH),
    )


def _refuse_missing(report: Any, folder: Path) -> None:
    """Weights that a checkpoint lacks stay random, and their model still answers."""
    missing = sorted(report["missing_keys"])
    if missing:
        raise InvalidInput(
            "MODEL_UNUSABLE",
            f"{folder} lacks {len(missing)} of its model's weights, among them {missing[0]}",
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput("MODEL_UNUSABLE", f"cannot read {path}: {error}") from error
    return value
