"""What a captions service says that it has counted."""

from __future__ import annotations

import asyncio

import aiohttp


async def counted(http_address: str, metric: str) -> float:
    """The value of a counter; 0 when the service has not counted anything under it."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://{http_address}/metrics") as answer,
    ):
        lines = (await answer.text()).splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(metric))


async def until_counted(http_address: str, metric: str) -> None:
    """Waits until a counter of the service is above zero."""
    async with asyncio.timeout(15):
        while not await counted(http_address, metric):
            await asyncio.sleep(0.05)
