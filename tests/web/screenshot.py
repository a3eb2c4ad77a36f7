"""Pictures of every page, at the sizes of a phone, a laptop and a 4K screen.

python -m tests.web.screenshot /tmp/pictures
python -m tests.web.screenshot /tmp/pictures --page phone --page audience
python -m tests.web.screenshot --docs        # those that the README and docs/ show
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser
from playwright.async_api import TimeoutError as PlaywrightTimeout

from tests.processes import REPOSITORY
from tests.web.browser import browser
from tests.web.sermon_stack import LINES, OPERATOR_TOKEN, SermonStack

_IMAGES = REPOSITORY / "docs" / "images"
_NEWEST = LINES[-2]  # the newest line that is final
# Lines come to a hall no faster than people read them.
_SHOWN_MS = 60_000


@dataclass(frozen=True)
class Size:
    width: int
    height: int
    pixel_ratio: float = 1


@dataclass(frozen=True)
class View:
    """A page, and a piece of text that it shows once everything is there."""

    path: str
    text: str


SIZES = {"phone": Size(390, 844, 2), "laptop": Size(1280, 800), "4k": Size(3840, 2160)}
# What a line begins with: a page that rolls breaks it where it likes.
_SPANISH, _ARABIC = (" ".join(_NEWEST.targets[each].split()[:2]) for each in ("es", "ar"))
VIEWS = {
    "phone": View("/?language=es", _SPANISH),
    "phone-arabic": View("/?language=ar", _ARABIC),
    "audience": View("/audience?language=es", _SPANISH),
    "overlay": View("/overlay?language=es", _SPANISH),
    "operator": View(f"/operator#token={OPERATOR_TOKEN}", _SPANISH),
    "compare": View(f"/compare#token={OPERATOR_TOKEN}", _SPANISH),
}
# File in docs/images: view, size.
DOCUMENTED = {
    "live-page.png": ("phone", "laptop"),
    "phone.png": ("phone", "phone"),
    "audience.png": ("audience", "laptop"),
    "operator.png": ("operator", "laptop"),
    "compare.png": ("compare", "laptop"),
}


async def main() -> int:
    arguments = _arguments()
    if arguments.docs:
        pictures = [(_IMAGES / name, *shot) for name, shot in DOCUMENTED.items()]
    else:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        pictures = [
            (arguments.folder / f"{view}-{size}.png", view, size)
            for view in arguments.page or VIEWS
            for size in SIZES
        ]
    with tempfile.TemporaryDirectory() as folder:
        stack = SermonStack(Path(folder))
        try:
            await stack.start()
            await stack.speak()
            async with browser() as chromium:
                shown = [await _picture(chromium, stack.url, *picture) for picture in pictures]
        finally:
            await stack.stop()
    return 0 if all(shown) else 1


async def _picture(chromium: Browser, url: str, path: Path, view_name: str, size_name: str) -> bool:
    """Makes one; False when the page did not show what it should, which is pictured then."""
    view, size = VIEWS[view_name], SIZES[size_name]
    context = await chromium.new_context(
        viewport={"width": size.width, "height": size.height},
        device_scale_factor=size.pixel_ratio,
        color_scheme="dark",
        locale="en-US",
    )
    page = await context.new_page()
    is_shown = True
    try:
        await page.goto(url + view.path)
        await page.wait_for_function(
            "text => document.body.innerText.includes(text)", arg=view.text, timeout=_SHOWN_MS
        )
    except PlaywrightTimeout:
        is_shown = False
    await page.screenshot(path=path)
    await context.close()
    print(f"{path}{'' if is_shown else f'  (never showed “{view.text}”)'}", flush=True)
    return is_shown


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="where the pictures go")
    parser.add_argument("--page", action="append", choices=VIEWS, help="this one; may be repeated")
    parser.add_argument("--docs", action="store_true", help="make those in docs/images again")
    arguments = parser.parse_args()
    if arguments.folder is None and not arguments.docs:
        parser.error("name a folder for the pictures, or give --docs")
    return arguments


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
