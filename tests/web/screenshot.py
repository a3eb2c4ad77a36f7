"""Makes docs/images/live-page.png: python -m tests.web.screenshot"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from services.settings import port
from tests.captions.upstream import ScriptedJournal, draft, partial
from tests.processes import REPOSITORY, ServiceProcess, free_port_base
from tests.web.browser import browser
from tests.web.phone_page import PhonePage

PICTURE = REPOSITORY / "docs" / "images" / "live-page.png"
SERMON = (
    ("Good morning, and welcome.", "Buenos días y bienvenidos."),
    (
        "This morning we will think about bread, and about the people we share it with.",
        "Esta mañana pensaremos en el pan y en las personas con quienes lo compartimos.",
    ),
    (
        "A table grows longer when someone pulls up another chair.",
        "Una mesa se hace más larga cuando alguien acerca otra silla.",
    ),
    (
        "Nobody in this room has to earn a place at it.",
        "Nadie en esta sala tiene que ganarse un lugar en ella.",
    ),
)


async def main() -> None:
    base = free_port_base()
    journal = ScriptedJournal()
    await journal.serve(f"127.0.0.1:{port('gateway', base)}")
    with tempfile.TemporaryDirectory() as folder:
        captions = ServiceProcess(
            "captions",
            base,
            Path(folder),
            upstream_address=f"127.0.0.1:{port('gateway', base)}",
            web_port=port("captions_web", base),
        )
        captions.start()
        try:
            await captions.wait_ready()
            journal.start_session("sunday", title="A longer table")
            for number, (english, spanish) in enumerate(SERMON, start=1):
                journal.say(number, english, spanish)
            async with browser() as chromium:
                context = await chromium.new_context(viewport={"width": 1280, "height": 860})
                page = await PhonePage.new(
                    context, f"http://127.0.0.1:{port('captions_web', base)}"
                )
                await page.open()
                await page.wait_status("live")
                journal.live(transcript=partial(5, 1, "So bring what you", "have and"))
                journal.live(translation=draft(5, 1, "Así que traigan lo que tienen y"))
                expected = [spanish for _, spanish in SERMON] + ["Así que traigan lo que tienen y"]
                await page.wait_lines("target", expected)
                PICTURE.parent.mkdir(parents=True, exist_ok=True)
                await page.page.screenshot(path=PICTURE)
        finally:
            captions.kill()
            await journal.stop()


if __name__ == "__main__":
    asyncio.run(main())
