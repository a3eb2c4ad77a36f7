"""services.serving.run, seen from outside: processes, ports, signals, real gRPC and HTTP."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from glossa.stt.v1 import stt_pb2, stt_pb2_grpc
from glossa.types.v1 import types_pb2
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ
from services.channels import CHANNEL_OPTIONS
from services.errors import PeerStatus, reason_of
from services.operator_http import HEARTBEAT_STALE_S
from tests.services.conftest import Trial, TrialStarter
from tests.services.trial import CONDITION, SERVICE_NAMES


async def test_is_not_serving_while_the_engine_warms_up_and_serving_after(
    start_trial: TrialStarter, tmp_path: Path
) -> None:
    gate = tmp_path / "warm"
    trial = start_trial(warm_up_until=gate)
    for name in ("", *SERVICE_NAMES, CONDITION):
        assert await trial.health(name) == "NOT_SERVING"
    assert (await trial.http("/healthz"))[0] == 200
    assert await trial.http("/readyz") == (503, "not ready\n")
    gate.touch()
    await trial.wait_health("SERVING")
    for name in SERVICE_NAMES:
        assert await trial.health(name) == "SERVING"
    assert await trial.http("/readyz") == (200, "ready\n")
    assert (await trial.http("/nothing"))[0] == 404


async def test_a_condition_has_a_health_of_its_own_and_lines_in_readyz(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial()
    await trial.wait_health("SERVING")
    assert await trial.health(CONDITION) == "SERVING"
    await trial.translate("warn rain wind")
    assert await trial.health(CONDITION) == "NOT_SERVING"
    assert await trial.health() == "SERVING"
    lines = f"ready\nwarning: {CONDITION}: rain\nwarning: {CONDITION}: wind\n"
    assert await trial.http("/readyz") == (200, lines)
    await trial.translate("warn")
    assert await trial.health(CONDITION) == "SERVING"
    assert await trial.http("/readyz") == (200, "ready\n")


async def test_metrics_count_each_rpc_with_its_code(start_trial: TrialStarter) -> None:
    trial = start_trial()
    await trial.wait_health("SERVING")
    await trial.translate("hello")
    with pytest.raises(grpc.aio.AioRpcError):
        await trial.translate("overloaded")
    count = 'glossa_rpc_duration_seconds_count{code="%s",method="MtService/Translate"} 1.0'
    metrics = ""
    async with asyncio.timeout(10):  # a caller has its status before the call is counted
        while count % "RESOURCE_EXHAUSTED" not in metrics:
            status, metrics = await trial.http("/metrics")
            assert status == 200
    assert count % "OK" in metrics
    assert 'glossa_rpcs_open{method="MtService/Translate"} 0.0' in metrics
    assert "glossa_event_loop_lag_seconds" in metrics


async def test_a_stuck_event_loop_is_not_ready_though_the_process_lives(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial()
    await trial.wait_health("SERVING")
    blocked = asyncio.create_task(trial.translate(f"block {HEARTBEAT_STALE_S + 2}"))
    async with asyncio.timeout(HEARTBEAT_STALE_S + 2):
        while (await trial.http("/readyz"))[0] == 200:
            await asyncio.sleep(0.05)
    assert await trial.http("/readyz") == (503, "event loop stuck\n")
    assert await trial.http("/healthz") == (503, "event loop stuck\n")
    assert trial.process.poll() is None
    await blocked
    async with asyncio.timeout(5):
        while (await trial.http("/readyz"))[0] != 200:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("which", ["grpc_port", "http_port"])
async def test_a_taken_port_ends_it_with_one_clear_line(
    start_trial: TrialStarter, which: str
) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        trial = start_trial(**{which: port})
        assert await trial.ended() == 1
    (line,) = trial.log_events()
    assert line["reason"] == "PORT_TAKEN"
    assert f"port {port} on 127.0.0.1 is taken" in str(line["message"])
    assert len(trial.log().splitlines()) == 1


async def test_an_engine_that_cannot_load_ends_it_with_one_clear_line(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial(warm_up_fails=True)
    assert await trial.ended() == 1
    assert trial.log_events()[-1]["reason"] == "ENGINE_NOT_INSTALLED"
    assert "Traceback" not in trial.log()


async def test_sigterm_lets_an_open_call_finish_and_ends_streams(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial()
    await trial.wait_health("SERVING")
    stream = trial.stream("hello")
    assert (await stream.read()).translation.text == "hello"
    call = asyncio.create_task(trial.translate("wait 2"))
    await _wait_until_open(trial, "MtService/Translate")
    trial.terminate()
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await stream.read()
    assert reason_of(ended.value) == "SHUTTING_DOWN"
    assert await trial.http("/readyz") == (503, "not ready\n")
    assert await call == "wait 2"
    assert await trial.ended() == 0
    assert trial.log_events()[-1]["event"] == "stopped"


async def test_a_drain_that_hangs_is_cut_off(start_trial: TrialStarter) -> None:
    trial = start_trial(drain_hangs=True, drain_timeout_s=1)
    await trial.wait_health("SERVING")
    call = asyncio.create_task(trial.translate("wait 60"))
    await _wait_until_open(trial, "MtService/Translate")
    trial.terminate()
    assert await trial.ended(timeout_s=8) == 0
    with pytest.raises(grpc.aio.AioRpcError):
        await call


async def test_sigterm_during_the_warm_up_ends_it(
    start_trial: TrialStarter, tmp_path: Path
) -> None:
    trial = start_trial(warm_up_until=tmp_path / "never")
    assert await trial.health() == "NOT_SERVING"
    trial.terminate()
    assert await trial.ended(timeout_s=8) == 0


async def test_a_background_task_that_fails_ends_the_process(start_trial: TrialStarter) -> None:
    trial = start_trial()
    await trial.wait_health("SERVING")
    with pytest.raises(grpc.aio.AioRpcError):  # the process takes its open calls with it
        await asyncio.gather(trial.translate("wait 60"), trial.translate("fail glossa"))
    assert await trial.ended() == 1
    assert trial.log_events()[-1]["reason"] == "JOURNAL_FAILED"


async def test_a_background_task_with_a_bug_ends_the_process_and_shows_where(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial()
    await trial.wait_health("SERVING")
    await trial.translate("fail bug")
    assert await trial.ended() == 1
    assert "ZeroDivisionError: a bug" in trial.log()


async def test_listening_beyond_this_machine_without_encryption_is_refused(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial(host="0.0.0.0")
    assert await trial.ended() == 2
    (line,) = trial.log().splitlines()
    assert line.startswith("GLOSSA_TRIAL_HOST=0.0.0.0 can be reached from other machines")
    assert "GLOSSA_TRIAL_ALLOW_PLAINTEXT=true" in line


async def test_listening_beyond_this_machine_can_be_allowed(start_trial: TrialStarter) -> None:
    trial = start_trial(host="0.0.0.0", allow_plaintext="true")
    await trial.wait_health("SERVING")
    assert (await trial.http("/readyz"))[0] == 200


async def test_reflection_is_off_unless_it_is_asked_for(start_trial: TrialStarter) -> None:
    closed, open_ = start_trial(), start_trial(reflection="true")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _reflected_names(closed.channel)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert {*SERVICE_NAMES, "grpc.health.v1.Health"} <= await _reflected_names(open_.channel)


async def test_a_server_that_does_not_read_blocks_its_client_within_four_seconds_of_audio(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial()
    await trial.wait_health("SERVING")
    data = bytes(SAMPLE_RATE_HERTZ // 10 * BYTES_PER_SAMPLE)
    call = stt_pb2_grpc.SttServiceStub(trial.channel).StreamingTranscribe(timeout=30)
    sent_chunks = 0

    async def send() -> None:
        nonlocal sent_chunks
        while True:
            chunk = types_pb2.AudioChunk(first_sample=sent_chunks * len(data) // 2, data=data)
            await call.write(stt_pb2.StreamingTranscribeRequest(audio=chunk))
            sent_chunks += 1

    sending = asyncio.create_task(send())
    try:
        before = -1
        while sent_chunks > before:  # until a second has passed without a chunk
            before = sent_chunks
            await asyncio.wait({sending}, timeout=1)
        assert not sending.done()
    finally:
        sending.cancel()
        call.cancel()
    assert 0 < sent_chunks < 40


@pytest.mark.slow
async def test_a_frozen_server_is_noticed(start_trial: TrialStarter) -> None:
    trial = start_trial()
    await trial.wait_health("SERVING")
    stream = trial.stream("hello", timeout_s=60)
    await stream.read()
    trial.process.send_signal(signal.SIGSTOP)
    frozen_at = time.monotonic()
    try:
        with pytest.raises(grpc.aio.AioRpcError) as noticed:
            await stream.read()
    finally:
        trial.process.send_signal(signal.SIGCONT)
    assert noticed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert time.monotonic() - frozen_at < 20


@pytest.mark.slow
async def test_a_quiet_stream_is_not_cut_for_its_keepalive_pings(start_trial: TrialStarter) -> None:
    """A display waits for minutes before a service; its pings are the only thing on the wire."""
    trial = start_trial()
    await trial.wait_health("SERVING")
    options = [option for option in CHANNEL_OPTIONS if option[0] != "grpc.keepalive_time_ms"]
    async with grpc.aio.insecure_channel(
        trial.address, options=[*options, ("grpc.keepalive_time_ms", 5_200)]
    ) as channel:
        watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
        # The third ping that a server finds too early is the one that it hangs up on.
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5 * 5.2):
                await watching.read()
        watching.cancel()


async def _wait_until_open(trial: Trial, method: str) -> None:
    async with asyncio.timeout(5):
        while f'glossa_rpcs_open{{method="{method}"}} 1.0' not in (await trial.http("/metrics"))[1]:
            await asyncio.sleep(0.02)


async def _reflected_names(channel: grpc.aio.Channel) -> set[str]:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(timeout=10, wait_for_ready=True)
    status = PeerStatus(call)
    try:
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        await call.done_writing()
        answer = await call.read()
        return {service.name for service in answer.list_services_response.service}
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        raise await status.error() from None
    finally:
        call.cancel()
