"""A model that is replaced while it is in use."""

from __future__ import annotations

import asyncio

import pytest

from services.errors import WrongState
from services.swap import Swap


class Model:
    def __init__(self, name: str, close_error: Exception | None = None) -> None:
        self.name = name
        self.is_closed = False
        self._close_error = close_error

    def close(self) -> None:
        self.is_closed = True
        if self._close_error is not None:
            raise self._close_error


def making(model: Model) -> asyncio.Future[Model]:
    made: asyncio.Future[Model] = asyncio.get_running_loop().create_future()
    made.set_result(model)
    return made


async def test_who_uses_the_old_model_keeps_it_and_who_comes_next_gets_the_new_one() -> None:
    old, new = Model("old"), Model("new")
    swap = Swap(old)
    async with swap.lease() as before:
        replacing = asyncio.create_task(swap.replace(lambda: making(new)))
        await swap.replaced()
        async with swap.lease() as after:
            assert (before, after, swap.current) == (old, new, new)
        assert not old.is_closed
    await replacing
    assert old.is_closed
    assert not new.is_closed


async def test_the_old_model_stays_when_the_new_one_cannot_be_made() -> None:
    old = Model("old")
    swap = Swap(old)

    async def fail() -> Model:
        raise ValueError("no such model")

    with pytest.raises(ValueError, match="no such model"):
        await swap.replace(fail)
    async with swap.lease() as used:
        assert used is old
    assert not old.is_closed
    await swap.replace(lambda: making(Model("new")))  # and nothing is in the way of the next one


async def test_only_one_replacement_is_under_way() -> None:
    swap = Swap(Model("old"))
    made: asyncio.Future[Model] = asyncio.get_running_loop().create_future()
    first = asyncio.create_task(swap.replace(lambda: made))
    await asyncio.sleep(0)
    with pytest.raises(WrongState) as refused:
        await swap.replace(lambda: making(Model("third")))
    assert refused.value.reason == "LOAD_IN_PROGRESS"
    made.set_result(Model("new"))
    await first
    assert swap.current.name == "new"


async def test_a_caller_that_leaves_does_not_leave_the_old_model_open() -> None:
    old, new = Model("old"), Model("new")
    swap = Swap(old)
    async with swap.lease():
        replacing = asyncio.create_task(swap.replace(lambda: making(new)))
        await swap.replaced()
        replacing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await replacing
        assert not old.is_closed
    await swap.close()
    assert old.is_closed
    assert new.is_closed


async def test_a_caller_that_leaves_while_the_new_model_is_made_changes_nothing() -> None:
    old = Model("old")
    swap = Swap(old)
    replacing = asyncio.create_task(swap.replace(asyncio.get_running_loop().create_future))
    await asyncio.sleep(0)
    replacing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await replacing
    assert swap.current is old
    await swap.replace(lambda: making(Model("new")))


async def test_an_old_model_that_does_not_close_does_not_fail_the_replacement() -> None:
    old = Model("old", close_error=RuntimeError("stuck"))
    swap = Swap(old)
    await swap.replace(lambda: making(Model("new")))
    assert old.is_closed
    assert swap.current.name == "new"


async def test_closing_waits_for_who_still_uses_a_model() -> None:
    model = Model("only")
    swap = Swap(model)
    async with swap.lease():
        closing = asyncio.create_task(swap.close())
        await swap.replaced()
        assert not model.is_closed
    await closing
    assert model.is_closed
