"""The projector's page that is not opened yet, and what it is to show."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from glossa.gateway.v1 import gateway_pb2 as gateway
from services.settings import port
from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal
from tests.web.screen_page import ScreenPage


@pytest.fixture
async def hall(chromium: Browser, base: int) -> AsyncIterator[ScreenPage]:
    """The audience page of the captions process on the ports of `base`; not opened yet."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    yield await ScreenPage.new(context, f"http://127.0.0.1:{port('captions_web', base)}")
    await context.close()


async def open_live(
    journal: ScriptedJournal, start: StartCaptions, hall: ScreenPage, query: str = ""
) -> None:
    """A live session with one sentence, on the screen."""
    journal.start_session()
    journal.say(1, "Welcome.", "Bienvenidos.")
    await start()
    await hall.open(f"/audience{query}")
    await hall.wait_text("Bienvenidos." if "source" not in query else "Welcome.")


def show(journal: ScriptedJournal, **screens: object) -> None:
    journal.append("", screens=gateway.Screens(**screens))
