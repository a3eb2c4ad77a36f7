"""mt when it is starting, overloaded, broken or told to stop: real processes and signals."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import psutil
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from services.errors import reason_of
from tests.mt.conftest import WAIT_S, MtProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

MakeMt = Callable[..., MtProcess]
HOLD_S = 60  # longer than a test: a held engine must not count as broken
FINALS = 'glossa_mt_queue_depth{kind="final"}'
DRAFTS = 'glossa_mt_queue_depth{kind="draft"}'


class HeldEngine:
    """Stops one stage, so that the engine works on `first` until `release`."""

    def __init__(self, mt: MtProcess) -> None:
        self._mt = mt
        self._stage = mt.stages()[0]

    async def hold(self) -> grpc.aio.UnaryUnaryCall:
        self._stage.suspend()
        first = self._mt.translate("the first text", timeout_s=HOLD_S)
        # Arrived and out of the queue: the engine has it.
        await self._mt.wait_for_metric('glossa_rpcs_open{method="MtService/Translate"}', 1)
        await self._mt.wait_for_metric(FINALS, 0)
        return first

    def release(self) -> None:
        self._stage.resume()


async def test_a_final_takes_the_place_of_the_oldest_draft(own_mt: MakeMt) -> None:
    mt = own_mt(queue_size=2, request_timeout_s=HOLD_S)
    await mt.wait_ready()
    engine = HeldEngine(mt)
    first = await engine.hold()
    old_draft = mt.translate("the old draft", draft=True, timeout_s=HOLD_S)
    await mt.wait_for_metric(DRAFTS, 1)
    new_draft = mt.translate("the new draft", draft=True, timeout_s=HOLD_S)
    await mt.wait_for_metric(DRAFTS, 2)

    final = mt.translate("the final", timeout_s=HOLD_S)
    with pytest.raises(grpc.aio.AioRpcError) as dropped:
        await old_draft
    assert reason_of(dropped.value) == "OVERLOADED"
    assert retry_delay_s(dropped.value) > 0

    another = mt.translate("another final", timeout_s=HOLD_S)
    with pytest.raises(grpc.aio.AioRpcError):
        await new_draft
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mt.translate("one final too many")
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(grpc.aio.AioRpcError):
        await mt.translate("a draft too many", draft=True)

    engine.release()
    assert (await first).text
    assert (await final).text
    assert (await another).text
    assert await mt.metric("glossa_mt_drafts_dropped_total") == 3


def retry_delay_s(error: grpc.aio.AioRpcError) -> float:
    status = rpc_status.from_call(error)
    assert status is not None
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Is(retry.DESCRIPTOR) and detail.Unpack(retry) for detail in status.details)
    return float(retry.retry_delay.ToMilliseconds()) / 1000


async def test_finals_overtake_drafts_that_wait(own_mt: MakeMt) -> None:
    mt = own_mt(request_timeout_s=HOLD_S)
    await mt.wait_ready()
    engine = HeldEngine(mt)
    first = await engine.hold()
    done: list[str] = []

    async def ask(name: str, draft: bool) -> None:
        await mt.translate(f"the {name}", draft=draft, timeout_s=HOLD_S)
        done.append(name)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask("draft", True))
        await mt.wait_for_metric(DRAFTS, 1)
        tasks.create_task(ask("final", False))
        await mt.wait_for_metric(FINALS, 1)
        engine.release()
    await first
    assert done == ["final", "draft"]


async def test_what_nobody_waits_for_any_more_is_not_run(own_mt: MakeMt) -> None:
    mt = own_mt(request_timeout_s=HOLD_S)
    await mt.wait_ready()
    engine = HeldEngine(mt)
    first = await engine.hold()
    cancelled = mt.translate("the cancelled", timeout_s=HOLD_S)
    await mt.wait_for_metric(FINALS, 1)
    cancelled.cancel()
    await mt.wait_for_metric(FINALS, 0)
    with pytest.raises(grpc.aio.AioRpcError) as expired:
        await mt.translate("the expired", timeout_s=0.2)
    assert expired.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await mt.wait_for_metric(FINALS, 0)
    engine.release()
    assert (await first).text
    assert (await mt.translate("the last")).text
    assert await mt.metric("glossa_mt_engine_seconds_count") == 2


async def test_a_pipeline_killed_between_and_during_texts_recovers(own_mt: MakeMt) -> None:
    mt = own_mt()
    await mt.wait_ready()
    for stage in (0, 5, -1):
        mt.stages()[stage].kill()
        assert (await mt.translate("the house is red")).text == "La casa es roja"
    busy = mt.stages()[2]
    busy.suspend()
    during = mt.translate("the house is red")
    busy.kill()
    assert (await during).text == "La casa es roja"
    assert await mt.metric("glossa_mt_engine_restarts_total") == 4


async def test_health_is_not_serving_until_the_engine_is_warm(
    own_mt: MakeMt, tmp_path: Path
) -> None:
    # The glossary is a pipe that nobody has written to yet, so the start waits for it.
    glossary = tmp_path / "glossary.tsv"
    os.mkfifo(glossary)
    mt = own_mt(glossary_file=glossary)
    health = health_pb2_grpc.HealthStub(mt.channel)
    for service in ("", "glossa.mt.v1.MtService"):
        answer = await health.Check(
            health_pb2.HealthCheckRequest(service=service), timeout=WAIT_S, wait_for_ready=True
        )
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    with pytest.raises(grpc.aio.AioRpcError) as early:
        await mt.translate("hello")
    assert reason_of(early.value) == "NOT_READY"
    await asyncio.to_thread(glossary.write_text, "source\ttarget\ngrace\tgracia\n")
    await mt.wait_ready()
    assert (await mt.translate("grace")).text == "Gracia"


async def test_sigterm_finishes_what_waits_and_exits_with_0(own_mt: MakeMt) -> None:
    mt = own_mt(request_timeout_s=HOLD_S)
    await mt.wait_ready()
    engine = HeldEngine(mt)
    first = await engine.hold()
    mt.signal(signal.SIGTERM)
    async with asyncio.timeout(WAIT_S):
        while "draining" not in mt.log_path.read_text():
            await asyncio.sleep(0.02)
    stages = mt.stages()
    engine.release()
    assert (await first).text
    assert await asyncio.to_thread(mt.stop) == 0
    assert not any(stage.is_running() for stage in stages)


async def test_no_stage_outlives_a_killed_service(own_mt: MakeMt) -> None:
    mt = own_mt(pairs="en>es,es>en")
    await mt.wait_ready()
    stages = mt.stages()
    assert len(stages) > 15
    mt.kill()
    deadline = time.monotonic() + WAIT_S
    while any(stage.is_running() and stage.status() != psutil.STATUS_ZOMBIE for stage in stages):
        assert time.monotonic() < deadline, "stages outlived their service"
        await asyncio.sleep(0.02)


async def test_a_wrong_runtime_names_the_known_ones(own_mt: MakeMt) -> None:
    mt = own_mt(runtime="babelfish")
    with pytest.raises(RuntimeError, match=r"GLOSSA_MT_RUNTIME.*babelfish.*known: apertium"):
        await mt.wait_ready()


async def test_a_wrong_glossary_is_one_clear_line(own_mt: MakeMt, tmp_path: Path) -> None:
    glossary = tmp_path / "glossary.tsv"
    glossary.write_text("source\ttarget\ngrace gracia\n")
    mt = own_mt(glossary_file=glossary)
    with pytest.raises(RuntimeError, match="line 2 is not source<tab>target"):
        await mt.wait_ready()
    assert "Traceback" not in mt.log_path.read_text()
    lines = [json.loads(line) for line in mt.log_path.read_text().splitlines()]
    errors = [line for line in lines if line["level"] == "error"]
    assert [error["reason"] for error in errors] == ["GLOSSARY_UNREADABLE"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"runtime": "exl2", "model": "x"}, ("ENGINE_NOT_INSTALLED", ".[exl2]")),
        ({"draft_runtime": "exl2", "draft_model": "x"}, ("ENGINE_NOT_INSTALLED", "exl2")),
    ],
)
async def test_a_missing_library_is_one_clear_line_and_never_another_runtime(
    own_mt: MakeMt, settings: dict[str, str], says: tuple[str, str]
) -> None:
    if importlib.util.find_spec("exllamav3") is not None:
        pytest.skip("the library is installed here")
    await _does_not_start(own_mt(**settings), *says)


@pytest.mark.parametrize("tier", ["", "draft_"])
async def test_a_missing_model_is_one_clear_line(own_mt: MakeMt, tier: str) -> None:
    mt = own_mt(**{f"{tier}runtime": "marian", f"{tier}model": "no-such-model"})
    await _does_not_start(mt, "MODEL_MISSING", "no-such-model")


async def _does_not_start(mt: MtProcess, reason: str, says: str) -> None:
    with pytest.raises(RuntimeError):
        await mt.wait_ready()
    assert await asyncio.to_thread(mt.stop) == 1
    log = mt.log_path.read_text()
    assert "Traceback" not in log
    lines = [json.loads(line) for line in log.splitlines()]
    errors = [line for line in lines if line["level"] == "error"]
    assert [error["reason"] for error in errors] == [reason]
    assert says in errors[0]["message"]
