"""A language model quantised to NF4 by bitsandbytes and saved so: quicker to load, a quarter to
keep."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from training.formats import side_files


def convert(source: Path, out: Path, quantization: str) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    import transformers

    device = "cuda" if torch.cuda.is_available() else "cpu"
    # Gemma 3 overflows in float16; what computes is chosen again where it is loaded.
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(
        source,
        quantization_config=transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=quantization,
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16 if device == "cuda" else torch.float32,
        ),
        device_map={"": device},
        local_files_only=True,
        trust_remote_code=False,
    )
    model.save_pretrained(out)
    side_files.copy(source, out)
