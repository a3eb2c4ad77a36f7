"""Every page at the sizes of a phone, a laptop and a 4K screen; the pictures stay in var/."""

from __future__ import annotations

import struct
import subprocess
import sys

import pytest

from tests.processes import REPOSITORY
from tests.web.browser import require_chromium
from tests.web.screenshot import SIZES, VIEWS

PICTURES = REPOSITORY / "var" / "screenshots"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_page_shows_the_sermon_at_every_size() -> None:
    require_chromium()
    made = subprocess.run(
        [sys.executable, "-m", "tests.web.screenshot", str(PICTURES)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    for view in VIEWS:
        for name, size in SIZES.items():
            picture = (PICTURES / f"{view}-{name}.png").read_bytes()
            width, height = struct.unpack(">II", picture[16:24])  # PNG, 11.2.2 IHDR
            ratio = size.pixel_ratio
            assert (width, height) == (size.width * ratio, size.height * ratio)
