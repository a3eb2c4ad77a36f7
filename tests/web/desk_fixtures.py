"""Fixtures of the operator's pages: a stack of real services, and operators who open the desk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.web.desk_page import DeskPage
from tests.web.desk_stack import DeskStack

StartDesk = Callable[..., Awaitable[DeskStack]]
NewDesk = Callable[..., Awaitable[DeskPage]]


@pytest.fixture
async def start_desk(tmp_path: Path) -> AsyncIterator[StartDesk]:
    """Starts a stack; keywords as DeskStack takes them."""
    stacks: list[DeskStack] = []

    async def start(**settings: Any) -> DeskStack:
        stacks.append(DeskStack(tmp_path, **settings))
        await stacks[-1].start()
        return stacks[-1]

    yield start
    for stack in stacks:
        await stack.stop()


@pytest.fixture
async def new_desk(chromium: Browser) -> NewDesk:
    """Opens the desk in a browser context of its own: another operator."""

    async def new(stack: DeskStack, query: str = "") -> DeskPage:
        context = await chromium.new_context(
            viewport={"width": 1400, "height": 900}, locale="en-US"
        )
        context.set_default_timeout(15_000)
        desk = await DeskPage.new(context, stack.url)
        await desk.open(query)
        return desk

    return new


async def open_phone(chromium: Browser, stack: DeskStack) -> Page:
    context = await chromium.new_context(viewport={"width": 390, "height": 800}, locale="es-ES")
    context.set_default_timeout(15_000)
    page = await context.new_page()
    await page.goto(stack.url)
    return page
