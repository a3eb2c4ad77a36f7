"""Transcripts that are made at once, those that wait, and the one too many."""

from __future__ import annotations

import asyncio

import pytest

from services.captions.transcripts.turns import Turns
from services.errors import Overloaded


async def test_so_many_pass_so_many_wait_and_one_more_is_told_to_come_back() -> None:
    turns = Turns(at_once=2, waiting=1)
    leave = asyncio.Event()
    inside: list[int] = []

    async def come(number: int) -> None:
        async with turns.turn():
            inside.append(number)
            await leave.wait()

    async with asyncio.TaskGroup() as tasks:
        for number in range(3):
            tasks.create_task(come(number))
        await asyncio.sleep(0)
        assert inside == [0, 1]
        with pytest.raises(Overloaded, match="try again") as refused:
            await come(3)
        assert refused.value.reason == "TOO_MANY_EXPORTS"
        leave.set()
    assert inside == [0, 1, 2]
    await asyncio.wait_for(come(4), 5)  # and then there is room again
