"""A model as transformers saves it: an adapter merged in, or MLX's quantised weights made whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from services.errors import InvalidInput, Unavailable
from training.formats import side_files


def convert(source: Path, out: Path, quantization: str) -> None:
    if "quantization" in _config(source):
        _from_mlx(source, out, quantization)
        return
    _save(_read(source, quantization), source, out)


def merge(base: Path, adapter: Path, out: Path) -> None:
    """Writes `base` with a LoRA adapter merged in, in the precision that the base is saved in.

    Raises:
        InvalidInput: BASE_QUANTISED, a merge into few bits loses what was learnt; MODEL_INCOMPLETE.
    """
    from peft import PeftModel

    if "quantization_config" in _config(base) or "quantization" in _config(base):
        raise InvalidInput(
            "BASE_QUANTISED",
            f"{base} is quantised, and merging into few bits loses what the adapter learnt; name "
            "the base model in full precision with --model",
        )
    model: Any = PeftModel.from_pretrained(_read(base, "auto"), str(adapter))
    _save(model.merge_and_unload(), base, out)
    side_files.copy(adapter, out)


def _read(source: Path, dtype: str) -> Any:
    """By the class that wrote it: another one may leave weights out, and only warns."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers

    try:
        kind = getattr(transformers, _config(source)["architectures"][0])
        if not issubclass(kind, transformers.PreTrainedModel):
            raise TypeError(kind)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise InvalidInput(
            "MODEL_MISSING", f"{source}/config.json names no architecture that transformers knows"
        ) from error
    model, told = kind.from_pretrained(
        source, dtype=dtype, local_files_only=True, output_loading_info=True
    )
    if missing := sorted(told["missing_keys"]):
        raise InvalidInput(
            "MODEL_INCOMPLETE",
            f"{source} lacks {len(missing)} of its model's weights, among them {missing[0]}",
        )
    return model


def _save(model: Any, source: Path, out: Path) -> None:
    model.save_pretrained(out)
    side_files.copy(source, out)


def _from_mlx(source: Path, out: Path, dtype: str) -> None:
    try:
        import mlx_lm
    except ModuleNotFoundError as error:
        raise Unavailable(
            "ENGINE_NOT_INSTALLED", f"an MLX model needs {error.name}: pip install -e '.[mlx]'"
        ) from error
    mlx_lm.convert(str(source), str(out), dequantize=True, dtype=dtype)
    side_files.copy(source, out)


def _config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config
