"""EXL3 for NVIDIA cards, by exllamav3; EXL2's own library is archived, so it is only read.

Written by the library's documented interface and not run by its authors: the check that follows an
export is what tells.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from services.errors import EngineFailed
from training.formats import cuda

_PROGRAM = (
    "from exllamav3.conversion.convert_model import main, parser, prepare; import sys\n"
    "told, state, fine, problem = prepare(parser.parse_args())\n"
    "main(told, state) if fine else sys.exit(problem)"
)


def convert(source: Path, out: Path, quantization: str) -> None:
    cuda.require("EXL3", "exllamav3")
    bits = quantization.removesuffix("bpw")
    with tempfile.TemporaryDirectory(prefix="glossa-exl3-") as work:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, "-i", source, "-o", out, "-w", work, "-b", bits],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode:
        raise EngineFailed(f"exllamav3 could not convert {source}: {done.stderr.strip()[-600:]}")
