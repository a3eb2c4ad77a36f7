"""Starting, stopping and breaking the processes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from glossa.stt.v1 import stt_pb2, stt_pb2_grpc
from glossa.types.v1 import models_pb2, models_pb2_grpc
from services.channels import open_channel
from services.errors import reason_of
from tests.processes import ServiceProcess
from tests.speech import spoken, with_pauses
from tests.stt.conftest import engine_children, metric, wait_until
from tests.stt.stream import config, requests, transcribe, until_the_end

SPEECH = "He gave them bread and fish to eat."
FINALS_QUEUED = 'glossa_stt_queue_depth{kind="final"}'


async def test_not_serving_until_the_engine_is_warm(
    start_stt: Callable[..., ServiceProcess],
) -> None:
    process = start_stt()
    async with open_channel(process.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "glossa.stt.v1.SttService", "glossa.types.v1.ModelService"):
            answer = await health.Check(
                health_pb2.HealthCheckRequest(service=service), timeout=20, wait_for_ready=True
            )
            assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as early:
            await models_pb2_grpc.ModelServiceStub(channel).GetModel(
                models_pb2.GetModelRequest(), timeout=5
            )
        assert reason_of(early.value) == "NOT_READY"
        with pytest.raises(grpc.aio.AioRpcError) as early:
            await transcribe(process.address, [config()])
        assert reason_of(early.value) == "NOT_READY"
    await process.wait_ready()
    heard = await transcribe(process.address, requests(with_pauses(spoken(SPEECH))))
    assert heard.finals


async def test_an_unknown_engine_is_one_clear_line(
    start_stt: Callable[..., ServiceProcess],
) -> None:
    process = start_stt(engine="whistle")
    wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    assert process.stop() == 1
    log = process.log_path.read_text()
    assert "UNKNOWN_ENGINE" in log
    assert "pocketsphinx" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("rows", [None, "heard\tmeant\n"], ids=["no folder", "wrong header"])
async def test_corrections_that_cannot_be_read_are_one_clear_line(
    start_stt: Callable[..., ServiceProcess], tmp_path: Path, rows: str | None
) -> None:
    folder = tmp_path / "corrections"
    if rows is not None:
        folder.mkdir()
        (folder / "corrections_en.tsv").write_text(rows)
    process = start_stt(corrections_dir=folder)
    wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    assert process.stop() == 1
    log = process.log_path.read_text()
    assert "CORRECTIONS_UNREADABLE" in log
    assert str(folder) in log
    assert "Traceback" not in log


async def test_an_engine_killed_in_a_final_ends_the_stream_and_recovers(
    start_stt: Callable[..., ServiceProcess],
) -> None:
    process = start_stt(live_decoders=0, final_workers=1)
    await process.wait_ready()
    decoder = engine_children(process.pid)["final"]
    decoder.send_signal(signal.SIGSTOP)  # the final is under way, and stays so
    sent = requests(with_pauses(spoken(SPEECH)))
    stream = asyncio.create_task(transcribe(process.address, sent))
    await asyncio.to_thread(wait_until, lambda: metric(process, FINALS_QUEUED) == 1)
    decoder.kill()
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stream
    assert reason_of(failed.value) == "ENGINE_FAILED"
    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
    heard = await transcribe(process.address, sent)
    assert heard.kinds == ["started 1", "final 1"]
    assert engine_children(process.pid)["final"].pid != decoder.pid


async def test_an_engine_killed_while_idle_costs_nobody_anything(
    start_stt: Callable[..., ServiceProcess],
) -> None:
    process = start_stt()
    await process.wait_ready()
    for child in engine_children(process.pid).values():
        child.kill()
    sent = requests(with_pauses(spoken(SPEECH)), partial_results=True)
    heard = await transcribe(process.address, sent)
    assert [final.segment_id for final in heard.finals] == [1]
    heard = await transcribe(process.address, sent, speed=1)
    assert heard.partials


async def test_killing_the_service_leaves_no_child(
    start_stt: Callable[..., ServiceProcess],
) -> None:
    process = start_stt()
    await process.wait_ready()
    children = list(engine_children(process.pid).values())
    assert len(children) == 2
    process.kill()
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, timeout=10)
    assert not alive


async def test_sigterm_ends_open_streams_with_shutting_down_and_exits_with_0(
    start_stt: Callable[..., ServiceProcess],
) -> None:
    process = start_stt()
    await process.wait_ready()
    children = list(engine_children(process.pid).values())
    stay_open = asyncio.Event()

    async def endless() -> AsyncIterator[stt_pb2.StreamingTranscribeRequest]:
        for request in requests(spoken(SPEECH)):
            yield request
        await stay_open.wait()

    async with open_channel(process.address) as channel:
        call = stt_pb2_grpc.SttServiceStub(channel).StreamingTranscribe(endless(), timeout=30)
        try:
            started = await call.read()
            assert started.WhichOneof("event") == "speech_started"
            process.signal(signal.SIGTERM)
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await until_the_end(call)
            assert reason_of(ended.value) == "SHUTTING_DOWN", ended.value
        finally:
            stay_open.set()
            call.cancel()
    assert await asyncio.to_thread(process.stop) == 0
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, timeout=5)
    assert not alive


async def test_an_abandoned_stream_gives_its_place_and_its_decoder_back(
    start_stt: Callable[..., ServiceProcess],
) -> None:
    process = start_stt(max_streams=1, live_decoders=1)
    await process.wait_ready()
    sent = requests(with_pauses(spoken(SPEECH)), partial_results=True)
    for _ in range(3):
        stream = asyncio.create_task(transcribe(process.address, sent, speed=1))
        await asyncio.to_thread(wait_until, lambda: metric(process, "glossa_stt_streams_open") == 1)
        stream.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await stream
        await asyncio.to_thread(wait_until, lambda: metric(process, "glossa_stt_streams_open") == 0)
    heard = await transcribe(process.address, sent, speed=1)
    assert heard.partials
    assert heard.finals


async def test_a_stream_beyond_the_live_decoders_has_finals_and_is_counted(
    start_stt: Callable[..., ServiceProcess],
) -> None:
    process = start_stt(live_decoders=0)
    await process.wait_ready()
    sent = requests(with_pauses(spoken(SPEECH)), partial_results=True)
    heard = await transcribe(process.address, sent, speed=4)
    assert heard.kinds == ["started 1", "final 1"]
    assert metric(process, 'glossa_stt_partials_skipped_total{reason="no_decoder"}') == 1
    assert metric(process, 'glossa_stt_segments_total{outcome="final"}') == 1
