"""A runtime whose library is not installed says what to install, and loads nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOAD = """
import sys
sys.modules[sys.argv[2]] = None  # as if it were not installed
from services.errors import Unavailable
from services.mt.engine import loader
try:
    loader(sys.argv[1])
except Unavailable as error:
    print(error.reason, error.message)
"""


@pytest.mark.parametrize(
    ("runtime", "library"),
    [
        ("marian", "ctranslate2"),
        ("bitsandbytes", "bitsandbytes"),
        ("mlx", "mlx"),
        ("exl2", "torch"),
    ],
)
def test_a_missing_library_is_named_with_what_installs_it(runtime: str, library: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", LOAD, runtime, library],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    needs = f"ENGINE_NOT_INSTALLED the translation runtime {runtime} needs "
    assert finished.stdout.startswith(needs)
    assert f"pip install -e '.[{runtime}]'" in finished.stdout
