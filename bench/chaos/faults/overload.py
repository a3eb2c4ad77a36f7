"""More sessions than the machine can do: the next is refused, and those that are open go on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

import grpc
import psutil

from bench.chaos.stage import TARGETS, Scene
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from glossa.types.v1 import types_pb2
from services.audio import SAMPLE_RATE_HERTZ
from services.channels import open_channel
from services.errors import PeerStatus, reason_of

REFUSAL = "FALLING_BEHIND"
_PATIENCE_S = 120.0
_TRY_EVERY_S = 1.0
_CALL_TIMEOUT_S = 10.0
# stt is made as slow as a machine that is far too small: it runs for a twentieth of the time.
_RUN_S, _REST_S = 0.05, 0.95


async def slow_machine(scene: Scene) -> None:
    """Slows stt down until captions come five seconds late, and asks for one more session."""
    slowing = asyncio.create_task(_slow_down(scene.stage.pid("stt")))
    scene.times += 1
    began_at_s = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                if await _is_refused(scene):
                    break
                await asyncio.sleep(_TRY_EVERY_S)
    except TimeoutError:
        scene.failures.append(f"no session was refused in {_PATIENCE_S:.0f} s of overload")
        return
    finally:
        slowing.cancel()
        await asyncio.gather(slowing, return_exceptions=True)
    took_s = asyncio.get_running_loop().time() - began_at_s
    scene.seen.append(f"the next session was refused with {REFUSAL} after {took_s:.0f} s")


async def _is_refused(scene: Scene) -> bool:
    """Whether one more session is; one that is taken is left to the gateway to end."""
    async with open_channel(scene.stage.address("gateway")) as channel:
        call = gateway_pb2_grpc.GatewayServiceStub(channel).StreamAudio(timeout=_CALL_TIMEOUT_S)
        status = PeerStatus(call)
        try:
            await call.write(gateway_pb2.StreamAudioRequest(config=_one_more()))
            await call.done_writing()
            while await call.read() is not grpc.aio.EOF:
                pass
            return False
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return reason_of(await status.error()) == REFUSAL
        finally:
            call.cancel()


def _one_more() -> gateway_pb2.SessionConfig:
    return gateway_pb2.SessionConfig(
        format=types_pb2.AudioFormat(
            encoding=types_pb2.AUDIO_ENCODING_PCM_S16LE,
            sample_rate_hertz=SAMPLE_RATE_HERTZ,
            channel_count=1,
        ),
        source_language="en",
        target_languages=TARGETS,
        title="one more",
    )


async def _slow_down(pid: int) -> None:
    """Lets a process and its children run for a part of the time, until cancelled."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]

    def tell(number: signal.Signals) -> None:
        for member in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, number)

    try:
        while True:
            tell(signal.SIGSTOP)
            await asyncio.sleep(_REST_S)
            tell(signal.SIGCONT)
            await asyncio.sleep(_RUN_S)
    finally:
        tell(signal.SIGCONT)
