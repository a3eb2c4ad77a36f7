"""qe when it is starting, overloaded, broken or told to stop: real processes and signals."""

from __future__ import annotations

import asyncio
import os
import shutil
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
from tests.qe.conftest import WAIT_S, QeProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

MakeQe = Callable[..., QeProcess]
HOLD_S = 60  # longer than a test: a held engine must not count as broken
PAIR = ("The house is red.", "La casa es roja.")
DEPTH = 'glossa_qe_queue_depth{engine="heuristic"}'


async def held(qe: QeProcess) -> tuple[psutil.Process, grpc.aio.UnaryUnaryCall]:
    """A stopped stage, and the request that the engine works on until it is resumed."""
    stage = qe.stages()[0]
    stage.suspend()
    first = qe.score([PAIR], timeout_s=HOLD_S)
    for engine in ("heuristic", "agreement"):  # what only waits would be joined, or fill the queue
        await qe.wait_for_metric(f'glossa_qe_batch_pairs_count{{engine="{engine}"}}', 1)
    return stage, first


async def test_a_full_queue_refuses_and_says_when_to_come_back(own_qe: MakeQe) -> None:
    qe = own_qe(queue_size=1, back_translation_timeout_s=HOLD_S)
    await qe.wait_ready()
    stage, first = await held(qe)
    second = qe.score([PAIR], timeout_s=HOLD_S)
    await qe.wait_for_metric(DEPTH, 1)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await qe.score([PAIR])
    assert reason_of(refused.value) == "OVERLOADED"
    status = rpc_status.from_call(refused.value)
    assert any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in status.details)
    stage.resume()
    assert (await first).scores
    assert (await second).scores


async def test_what_nobody_waits_for_any_more_is_not_measured(own_qe: MakeQe) -> None:
    qe = own_qe(back_translation_timeout_s=HOLD_S)
    await qe.wait_ready()
    stage, first = await held(qe)
    with pytest.raises(grpc.aio.AioRpcError) as expired:
        await qe.score([PAIR] * 64, timeout_s=0.2)
    assert expired.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await qe.wait_for_metric(DEPTH, 0)
    stage.resume()
    assert (await first).scores
    assert (await qe.score([PAIR])).scores
    assert await qe.metric('glossa_qe_pairs_total{engine="heuristic"}') == 2


async def test_a_killed_stage_costs_no_signal(own_qe: MakeQe) -> None:
    qe = own_qe()
    await qe.wait_ready()
    for stage in (0, 4, -1):
        qe.stages()[stage].kill()
        assert (await qe.values(*PAIR))["back_translation"] == 1.0
    assert await qe.metric("glossa_qe_engine_restarts_total") == 3


async def test_a_way_back_that_stays_broken_leaves_its_signals_unset(own_qe: MakeQe) -> None:
    # No pipeline can answer within this time.
    qe = own_qe(back_translation_timeout_s=0.000001)
    await qe.wait_ready()
    values = await qe.values(*PAIR)
    assert values["back_translation"] is None
    assert values["heuristic_quality"] is None
    assert values["unknown_word_rate"] is None
    assert values["length_ratio"] is not None
    assert values["number_parity"] == 1.0


async def test_only_the_signals_that_were_asked_for_are_measured(own_qe: MakeQe) -> None:
    qe = own_qe(signals="number_parity, length_ratio")
    await qe.wait_ready()
    assert list(await qe.values(*PAIR)) == ["length_ratio", "number_parity"]
    assert qe.stages() == []


async def test_wrong_names_tell_the_known_ones(own_qe: MakeQe) -> None:
    with pytest.raises(RuntimeError, match=r"GLOSSA_QE_ENGINE: .*heuristic.*cometkiwi"):
        await own_qe(engine="oracle").wait_ready()
    with pytest.raises(RuntimeError, match=r"UNKNOWN_SIGNAL.*vibes; known: length_ratio"):
        await own_qe(signals="number_parity,vibes").wait_ready()


async def test_health_is_not_serving_until_the_engine_is_warm(
    own_qe: MakeQe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One stage of the pipeline waits at its start until the test lets it go on.
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    slow_stage = tmp_path / "apertium-pretransfer"
    real_stage = shutil.which("apertium-pretransfer")
    slow_stage.write_text(f'#!/bin/sh\nread go < {gate}\nexec {real_stage} "$@"\n')
    slow_stage.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    qe = own_qe()
    health = health_pb2_grpc.HealthStub(qe.channel)
    for service in ("", "glossa.qe.v1.QeService"):
        answer = await health.Check(
            health_pb2.HealthCheckRequest(service=service), timeout=WAIT_S, wait_for_ready=True
        )
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    with pytest.raises(grpc.aio.AioRpcError) as early:
        await qe.score([PAIR])
    assert reason_of(early.value) == "NOT_READY"
    await asyncio.to_thread(gate.write_text, "go\n")
    await qe.wait_ready()
    assert len(qe.stages()) > 5
    assert (await qe.values(*PAIR))["back_translation"] == 1.0


async def test_sigterm_finishes_what_runs_and_exits_with_0(own_qe: MakeQe) -> None:
    qe = own_qe(back_translation_timeout_s=HOLD_S)
    await qe.wait_ready()
    stage, first = await held(qe)
    stages = qe.stages()
    qe.signal(signal.SIGTERM)
    async with asyncio.timeout(WAIT_S):
        while "draining" not in qe.log_path.read_text():
            await asyncio.sleep(0.02)
    stage.resume()
    assert (await first).scores
    assert await asyncio.to_thread(qe.stop) == 0
    assert not any(stage.is_running() for stage in stages)


async def test_no_stage_outlives_a_killed_service(own_qe: MakeQe) -> None:
    qe = own_qe(warm_pairs="en>es,es>en")
    await qe.wait_ready()
    stages = qe.stages()
    assert len(stages) > 15
    qe.kill()
    deadline = time.monotonic() + WAIT_S
    while any(stage.is_running() and stage.status() != psutil.STATUS_ZOMBIE for stage in stages):
        assert time.monotonic() < deadline, "stages outlived their service"
        await asyncio.sleep(0.02)


async def test_a_learned_engine_whose_libraries_are_missing_is_told_and_left_out(
    own_qe: MakeQe,
) -> None:
    # The tests' own environment never holds unbabel-comet.
    qe = own_qe(engine="cometkiwi")
    await qe.wait_ready()
    answer = await qe.score([PAIR])
    signals = {signal.name: signal for signal in answer.scores[0].signals}
    assert not signals["translation_qe"].HasField("value")
    assert signals["translation_qe"].model == "cometkiwi: ENGINE_MISSING"
    assert signals["back_translation"].value == 1.0
    assert await qe.metric('glossa_qe_engine_missing{engine="cometkiwi"}') == 1
    assert ".venv-qe" in qe.log_path.read_text()
    model = await qe.model()
    assert model.engine == "heuristic"
    assert "translation_qe" not in model.capabilities
    missing = next(tier for tier in model.tiers if tier.tier == "learned")
    assert (missing.engine, missing.model) == ("cometkiwi", "")
    health = health_pb2_grpc.HealthStub(qe.channel)
    for name, status in (
        ("", health_pb2.HealthCheckResponse.SERVING),
        ("glossa.qe.v1.heuristic", health_pb2.HealthCheckResponse.SERVING),
        ("glossa.qe.v1.cometkiwi", health_pb2.HealthCheckResponse.NOT_SERVING),
    ):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
        assert answer.status == status
