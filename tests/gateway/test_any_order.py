"""Messages of a speaker in any order and with anything in them, against a real gateway."""

from __future__ import annotations

import asyncio
import contextlib
import random

import grpc
import pytest

from tests.gateway.conftest import Stack, audio
from tests.gateway.peers import sentence, sermon
from tests.gateway.test_bad_input import Request, audio_format, config
from tests.gateway.test_degradation import logged
from tests.gateway.test_sessions import StartStack, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

_STREAMS = 80
# Each with a reason that tells what to do.
_REFUSALS = {
    "INVALID_ARGUMENT",
    "FAILED_PRECONDITION",
    "OUT_OF_RANGE",
    "NOT_FOUND",
    "RESOURCE_EXHAUSTED",
    "ABORTED",
}


def text(chance: random.Random) -> str:
    return "".join(
        chance.choice(("en", "es", "\0", "\ud7ff", "🕊", "<b>", "../", " ", "\n", "x" * 300))
        for _ in range(chance.randrange(4))
    )


def message(chance: random.Random, position: int) -> bytes:
    """One message; right ones are as likely as wrong ones of each kind."""
    match chance.randrange(9):
        case 0 | 1:
            request = audio(position, bytes(2 * chance.choice((1, 160, 1600))))
        case 2:
            first_sample = chance.choice((-1, 0, position - 1, position + 5, 2**40, 2**63 - 1))
            request = audio(first_sample, bytes(chance.choice((0, 1, 2, 3200, 64 * 1024 + 2))))
        case 3:
            request = config()
        case 4:
            wrong = {
                "source_language": text(chance),
                "target_languages": [text(chance) for _ in range(chance.randrange(10))],
                "title": text(chance),
                "phrases": [text(chance)] * chance.choice((0, 1, 501)),
                "session_id": chance.choice(("", "nobody", "../..", text(chance))),
                "format": audio_format(sample_rate_hertz=chance.randrange(2**31)),
            }
            kept = chance.sample(sorted(wrong), chance.randrange(1, 4))
            request = config(**{name: wrong[name] for name in kept})
        case 5:
            request = Request()
        case 6:
            return chance.randbytes(chance.randrange(1, 40))
        case _:
            whole = config().SerializeToString()
            at = chance.randrange(len(whole))
            return whole[:at] + chance.randbytes(2) + whole[at + 2 :]
    return request.SerializeToString()


def messages(seed: int) -> list[bytes]:
    """A stream of up to ten; two of three begin as they should."""
    chance = random.Random(seed)
    begun = [config().SerializeToString()] if chance.random() < 0.67 else []
    return begun + [message(chance, 160 * index) for index in range(chance.randrange(10))]


async def send(stack: Stack, seed: int) -> None:
    """Sends a stream and reads it to its end; what came of it, the gateway's log says."""
    call = stack.channel.stream_stream("/glossa.gateway.v1.GatewayService/StreamAudio")(timeout=20)

    async def read() -> None:
        async for _ in call:
            pass

    reading = asyncio.create_task(read())
    # It may end before all is sent.
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        for each in messages(seed):
            await call.write(each)
        await call.done_writing()
    with contextlib.suppress(grpc.aio.AioRpcError):
        await reading


async def test_any_order_of_messages_ends_with_a_reason_and_harms_no_other_session(
    own_stack: StartStack,
) -> None:
    stack = await own_stack(max_sessions=_STREAMS)
    for seed in range(_STREAMS):
        await send(stack, seed)
    session_id = await stack.speak(sermon([1, 2]))
    assert said(await stack.events(session_id)) == [sentence(1), sentence(2)]
    assert not logged(stack, "rpc_failed")
    calls = [line for line in logged(stack, "rpc") if line["method"].endswith("/StreamAudio")]
    assert all(line["code"] in _REFUSALS and line["reason"] for line in calls), calls
    reasons = {line["reason"] for line in calls}
    assert {"UNREADABLE_MESSAGE", "AUDIO_BEFORE_CONFIG", "CONFIG_REPEATED"} < reasons
    assert len(reasons) > 8, reasons
