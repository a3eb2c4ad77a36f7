"""Makes docs/images/review-page.png: python -m tests.web.review_screenshot"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.processes import REPOSITORY
from tests.web.browser import browser
from tests.web.review_page import ReviewPage
from tests.web.review_stack import DOUBTFUL, Line, ReviewStack

PICTURE = REPOSITORY / "docs" / "images" / "review-page.png"
LINES = (
    Line(
        "Grace is not something that you earn, it is a table that is set for you",
        "La gracia es algo que se gana, es una mesa que está puesta para ti",
        {**DOUBTFUL, "negation_parity": 0.0, "number_parity": 1.0, "length_ratio": 0.94},
        [("set", "servida")],
    ),
    Line("He told them to stay in the city", "Él les dijo que se quedaran en la ciudad"),
    Line("They broke the bread together", "Ellos quebraron el pan juntos"),
)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stack = ReviewStack(Path(folder), LINES)
        await stack.start()
        try:
            await stack.speak(store_audio=True, title="A longer table")
            async with browser() as chromium:
                context = await chromium.new_context(
                    viewport={"width": 1280, "height": 800}, locale="en-US"
                )
                page = await ReviewPage.new(context, stack.url)
                await page.open("Ana")
                await page.wait_source(LINES[0].source)
                await page.target.fill(LINES[0].target.replace("gracia es", "gracia no es"))
                await page.page.screenshot(path=PICTURE)
        finally:
            await stack.stop()


if __name__ == "__main__":
    asyncio.run(main())
