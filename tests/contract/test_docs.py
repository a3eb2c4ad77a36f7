"""Pages that are written from the code say what the code says."""

from __future__ import annotations

import runpy

from tests.processes import REPOSITORY


def test_the_page_of_settings_is_the_one_that_the_code_gives() -> None:
    page = runpy.run_path(str(REPOSITORY / "docs" / "settings.py"))["settings_page"]()
    kept = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    assert kept == page, "run .venv/bin/python docs/settings.py"
