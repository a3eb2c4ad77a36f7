"""A real, headless Chromium for the page's tests."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")
DEADLINE_S = 20.0


def require_chromium() -> None:
    """Skips the test without Chromium; fails where it must be there (CI=true)."""
    if CHROMIUM and CHROMEDRIVER:
        return
    missing = "chromium or chromedriver is missing: apt-get install chromium chromium-driver"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


@contextmanager
def browser(profile_folder: Path, width: int = 1280, height: int = 800) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--lang=en-US",
        f"--user-data-dir={profile_folder}",
        f"--window-size={width},{height}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=ChromeService(CHROMEDRIVER))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """What a reader sees of the live page."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self.driver = driver
        self.url = url

    def open(self, query: str = "") -> None:
        self.driver.get("about:blank")
        self.requested_urls()  # those of the browser's own first page, or of the test before
        self.console_problems()
        self.driver.get(f"{self.url}/{query}")

    def lines(self, kind: str) -> list[str]:
        """The visible texts of `kind` ("source" or "target") from top to bottom."""
        script = """return [...document.querySelectorAll(`.segment .${arguments[0]}`)]
          .map((each) => each.innerText).filter(Boolean)"""
        return list(self.driver.execute_script(script, kind))

    def wait_lines(self, kind: str, expected: list[str]) -> None:
        self.wait(lambda: self.lines(kind) == expected, lambda: f"{self.lines(kind)}, {expected}")

    def wait_status(self, expected: str) -> None:
        self.wait(lambda: self.status() == expected, self.status)

    def wait(self, condition: Any, state: Any) -> None:
        WebDriverWait(self.driver, DEADLINE_S, poll_frequency=0.05).until(
            lambda _: condition(), message=_Late(state)
        )

    def status(self) -> str:
        return self.driver.find_element(By.ID, "status").text

    def classes(self, kind: str) -> list[str]:
        script = """return [...document.querySelectorAll(`.segment .${arguments[0]}`)]
          .map((each) => each.className)"""
        return list(self.driver.execute_script(script, kind))

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def console_problems(self) -> list[str]:
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]

    def requested_urls(self) -> list[str]:
        """Every address that the page has asked for since the last call, WebSockets included."""
        urls = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                urls.append(message["params"]["url"])
        return urls


class _Late(str):
    """A message that is made when it is needed."""

    def __new__(cls, state: Any) -> _Late:
        made = super().__new__(cls)
        made._state = state
        return made

    _state: Any

    def __str__(self) -> str:
        return f"still: {self._state()}"
