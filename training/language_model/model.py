"""Gemma models to be trained: read whole or not at all, and only their language part touched.

Published checkpoints are multimodal (a vision tower beside the language model), conversions are
often text alone; both are read with the class that their config.json names.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

# Before the first import of either: neither may ask a hub for anything.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers

from services.errors import InvalidInput
from services.mt.engines.hf_model import find_folder

# The language model's linear layers by their full names, text alone or beside a vision tower, whose
# layers are named alike: "all-linear" would reach them.
LANGUAGE_LAYERS = (
    r"model\.(?:language_model\.)?layers\.\d+\."
    r"(?:self_attn\.[qkvo]_proj|mlp\.(?:gate|up|down)_proj)"
)
EMBEDDINGS = "embed_tokens"
# What a runtime reads beside weights and config.json.
_CARRIED = (
    *("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "chat_template.jinja", "chat_template.json", "generation_config.json"),
    *("preprocessor_config.json", "processor_config.json"),
)
# Before this compute capability (Ampere) a card only emulates bfloat16.
_NATIVE_BFLOAT16 = (8, 0)


def folder_of(model: str, models_dir: Path) -> Path:
    """The model's folder. Raises Unavailable: MODEL_MISSING, saying what to do."""
    return find_folder(model, models_dir)


def compute_dtype() -> torch.dtype:
    """bfloat16 where the card has it, else float32: Gemma 3 overflows in float16."""
    if torch.cuda.is_available() and torch.cuda.get_device_capability() >= _NATIVE_BFLOAT16:
        return torch.bfloat16
    return torch.float32


def read_tokenizer(folder: Path) -> Any:
    """Its tokenizer, with the chat template that tells the family of its prompts."""
    return transformers.AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )


def read_model(folder: Path, *, in_nf4: bool) -> Any:
    """The model on this process's device.

    Args:
        in_nf4: in 4 bits, quantised while it is read, to be trained through adapters.

    Raises:
        InvalidInput: MODEL_INCOMPLETE when weights are missing or of another shape. transformers
            would fill them with random numbers and only warn.
    """
    dtype = compute_dtype()
    quantization = None
    if in_nf4:
        quantization = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        folder,
        quantization_config=quantization,
        dtype=dtype,
        device_map={"": _device()},
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    if wrong := [*info["missing_keys"], *info["mismatched_keys"]]:
        named = ", ".join(str(key) for key in sorted(wrong, key=str)[:3])
        raise InvalidInput(
            "MODEL_INCOMPLETE",
            f"{folder} lacks {len(wrong)} of the weights that its config.json asks for ({named} "
            "...); training would begin from random numbers. ./glossa models verify says whether "
            "the files are whole; if they are, its config.json is of another model",
        )
    model.config.use_cache = False
    for layer in model.modules():
        # On a CPU that has AVX512-BF16, bitsandbytes repacks the weights for each evaluation, and
        # back, and loses some of their digits each time.
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False
    return model


def only_language_layers(model: Any, *, embeddings: bool) -> None:
    """Freezes all but the language model's layers, norms among them, and `embeddings` if wanted."""
    for name, parameter in model.named_parameters():
        is_language = "vision" not in name and "multi_modal" not in name
        is_embedding = EMBEDDINGS in name or name.startswith("lm_head")
        parameter.requires_grad_(is_language and (embeddings or not is_embedding))


def carry_files(source: Path, target: Path) -> None:
    """Copies tokenizer, template and preprocessor files, which a trained folder is used with."""
    for name in _CARRIED:
        if (source / name).exists():
            shutil.copy2(source / name, target / name)


def _device() -> str:
    if not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
