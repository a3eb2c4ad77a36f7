"""Folders of untrained Gemma 3 models, smaller than tests/tiny's, whose tokenizer they have."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.tiny.gemma import gemma_hf
from training.rows import Row, write_rows

PREPROCESSOR = "preprocessor_config.json"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")


def write_text_model(folder: Path) -> Path:
    """A language model alone, as conversions are."""
    from transformers import Gemma3ForCausalLM

    return _write(folder, Gemma3ForCausalLM, _text_config())


def write_multimodal_model(folder: Path) -> Path:
    """A language model beside a vision tower, as published checkpoints are."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, SiglipVisionConfig

    vision = SiglipVisionConfig(
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )
    config = Gemma3Config(
        text_config=_text_config(), vision_config=vision, mm_tokens_per_image=4, image_token_index=3
    )
    written = _write(folder, Gemma3ForConditionalGeneration, config)
    (written / PREPROCESSOR).write_text('{"image_processor_type": "Gemma3ImageProcessor"}')
    return written


def write_data(folder: Path, train: list[Row], dev: list[Row]) -> Path:
    write_rows(folder / "train.jsonl", train)
    write_rows(folder / "dev.jsonl", dev)
    return folder


def _text_config() -> Any:
    from transformers import Gemma3TextConfig

    return Gemma3TextConfig(
        vocab_size=_tokenizer_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        query_pre_attn_scalar=32,
        sliding_window=512,
        max_position_embeddings=2048,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )


def _tokenizer_size() -> int:
    from transformers import AutoTokenizer

    return len(AutoTokenizer.from_pretrained(gemma_hf(), local_files_only=True))


def _write(folder: Path, kind: Any, config: Any) -> Path:
    import torch

    torch.manual_seed(0)
    model = kind(config).to(torch.float32)
    # As they begin, words differ too little for adapters in the layers alone to tell them apart.
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(10)
    model.save_pretrained(folder)
    for name in (*_TOKENIZER_FILES, "chat_template.jinja"):
        shutil.copy2(gemma_hf() / name, folder / name)
    return folder
