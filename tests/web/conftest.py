"""The live page of a real captions process that follows a scripted journal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from services.settings import port
from tests.captions.conftest import StartCaptions, base, journal, start_captions
from tests.web.browser import Page, browser, require_chromium

__all__ = ["StartCaptions", "base", "journal", "start_captions"]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    require_chromium()
    with browser(tmp_path_factory.mktemp("browser") / "profile") as driver:
        yield driver


@pytest.fixture
def page(driver: Chrome, base: int) -> Iterator[Page]:
    yield Page(driver, f"http://127.0.0.1:{port('captions_web', base)}")
    driver.get("about:blank")
