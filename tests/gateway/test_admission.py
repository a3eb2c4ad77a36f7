"""A machine that falls behind takes no further session, and keeps those it has."""

from __future__ import annotations

import grpc
import pytest

from services.errors import reason_of
from tests.gateway.conftest import Talk, open_stream
from tests.gateway.peers import sermon
from tests.gateway.test_sessions import StartStack, of_kind

pytestmark = pytest.mark.asyncio(loop_scope="module")

_ANY_LAG_S = 0.000_001  # each caption comes later than that


async def test_the_next_session_is_refused_and_the_open_one_goes_on(own_stack: StartStack) -> None:
    stack = await own_stack(max_lag_s=_ANY_LAG_S)
    talk = await Talk.begun(stack)
    await talk.say(sermon([1]))
    await talk.finals(1)
    refused = stack.calls.StreamAudio(timeout=20)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await open_stream(refused)
    assert failure.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason_of(failure.value) == "FALLING_BEHIND"
    await talk.resume()
    await talk.say(sermon([2]))
    assert len(of_kind(await talk.end(), "transcript")) == 2
    await (await Talk.begun(stack)).end()  # nothing is late once nothing is open


async def test_a_recording_that_is_fed_in_haste_keeps_nobody_out(own_stack: StartStack) -> None:
    stack = await own_stack(max_lag_s=_ANY_LAG_S)
    talk = await Talk.begun(stack)
    await talk.say(sermon(range(1, 20)))
    await talk.finals(10)
    await (await Talk.begun(stack)).end()
    await talk.end()


async def test_a_caption_in_time_keeps_nobody_out(own_stack: StartStack) -> None:
    stack = await own_stack()
    talk = await Talk.begun(stack)
    await talk.say(sermon([1]))
    await talk.finals(1)
    await (await Talk.begun(stack)).end()
    await talk.end()
