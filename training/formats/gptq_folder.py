"""GPTQ for NVIDIA cards, by gptqmodel, calibrated on our own sermon sentences.

Written by the library's documented interface and not run by its authors: the check that follows an
export is what tells.
"""

from __future__ import annotations

from pathlib import Path

from training.evaluation.sets import OWN_SERMON
from training.formats import cuda, side_files
from training.rows import read_rows


def convert(source: Path, out: Path, quantization: str) -> None:
    cuda.require("GPTQ", "gptqmodel")
    from gptqmodel import GPTQModel, QuantizeConfig

    bits = int(quantization.removesuffix("bit"))
    model = GPTQModel.load(str(source), QuantizeConfig(bits=bits, group_size=128))
    model.quantize([f"{row.source}\n{row.target}" for row in read_rows(OWN_SERMON)])
    model.save(str(out))
    side_files.copy(source, out)
