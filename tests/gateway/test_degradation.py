"""What captions go without is shown, counted and logged once a change; each segment has a line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from bench.chaos.faults.disks import fill_up
from bench.chaos.rigs import can_mount, small_disk
from glossa.gateway.v1 import gateway_pb2
from services.errors import reason_of
from tests.cli.test_status import describe_stack, told
from tests.gateway.conftest import Stack, Talk
from tests.gateway.peers import REFUSED_SENTENCE, sentence, sermon
from tests.gateway.test_operating import set_screens
from tests.gateway.test_sessions import StartStack, of_kind
from tests.gateway.test_status import of_engine, status, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


def logged(stack: Stack, *events: str) -> list[dict[str, Any]]:
    """The gateway's log lines of these events, in order."""
    lines = map(json.loads, stack.gateway.log_path.read_text().splitlines())
    return [line for line in lines if line["event"] in events]


async def gauge(stack: Stack, stage: str) -> float:
    return await stack.metric(f'glossa_degraded{{stage="{stage}"}}')


async def until_degraded(stack: Stack, stage: str, value: float) -> None:
    async def is_so() -> bool:
        return await gauge(stack, stage) == value

    await until(is_so)


async def test_each_engine_that_is_away_is_one_stage_less_until_it_is_back(
    own_stack: StartStack,
) -> None:
    stack = await own_stack()
    stages = {"mt": "translation", "qe": "quality", "stt": "speech"}
    for stage in stages.values():  # the gateway may have been up before its peers
        await until_degraded(stack, stage, 0)
    known_count = len(logged(stack, "degraded", "recovered"))
    for engine, stage in stages.items():
        stack.peers[engine].kill()
        await until_degraded(stack, stage, 1)
        stack.peers[engine].start()
        await until_degraded(stack, stage, 0)
    lines = logged(stack, "degraded", "recovered")[known_count:]
    assert [(line["event"], line["stage"]) for line in lines] == [
        (event, stage) for stage in stages.values() for event in ("degraded", "recovered")
    ]
    assert "source text" in lines[0]["meaning"]
    assert "nothing answers" in lines[0]["detail"]


async def test_a_final_model_that_rests_is_a_stage_of_its_own_and_serves(
    own_stack: StartStack,
) -> None:
    stack = await own_stack()
    stack.peers["mt"].kill()
    await until_degraded(stack, "translation", 1)

    server = grpc.aio.server()  # mt as far as it is asked for its health
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    await servicer.set("glossa.mt.v1.final", health_pb2.HealthCheckResponse.NOT_SERVING)
    server.add_insecure_port(stack.peers["mt"].address)
    await server.start()
    try:
        await until_degraded(stack, "final_translation", 1)
        assert await gauge(stack, "translation") == 0
        engine = await of_engine(stack, "mt")
        assert engine.state == gateway_pb2.ENGINE_STATE_DEGRADED
        assert "the draft model writes finals" in engine.detail
        await servicer.set("glossa.mt.v1.final", health_pb2.HealthCheckResponse.SERVING)
        await until_degraded(stack, "final_translation", 0)
    finally:
        await server.stop(0)


async def test_a_journal_that_cannot_be_written_is_shown_until_it_can_again(
    own_stack: StartStack,
) -> None:
    stack = await own_stack()
    talk = await Talk.begun(stack)
    with closing(sqlite3.connect(stack.folder / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # for longer than the gateway waits for its turn
        await talk.say(sermon([1]))
        await until_degraded(stack, "journal", 1)
        (warning,) = (await status(stack)).warnings
        assert (warning.reason, warning.session_id) == ("JOURNAL_FAILED", "")
        assert "database is locked" in warning.message
        found = await told(describe_stack(stack.folder, stack.base))
        assert warning.message in found["troubles"]
        other.execute("ROLLBACK")
    await until_degraded(stack, "journal", 0)
    assert list((await status(stack)).warnings) == []
    assert [final.stable_text for final in of_kind(await talk.end(), "transcript")] == [sentence(1)]


@pytest.mark.skipif(not can_mount(), reason="a small disk needs root (mount)")
async def test_a_full_disk_is_told_and_found_free_again_though_nobody_speaks(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "disk"
    async with contextlib.AsyncExitStack() as rig:
        rig.enter_context(small_disk(folder))
        stack = Stack(tmp_path, state_dir=folder)
        rig.push_async_callback(stack.stop)
        await stack.start()
        await asyncio.to_thread(fill_up, folder / "ballast")
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await set_screens(stack, is_blank=True)
        assert reason_of(failure.value) == "JOURNAL_FAILED"
        await until_degraded(stack, "journal", 1)
        (warning,) = (await status(stack)).warnings
        assert "disk is full" in warning.message
        assert str(folder) in warning.message
        (folder / "ballast").unlink()
        await until_degraded(stack, "journal", 0)
        assert list((await status(stack)).warnings) == []
        lines = logged(stack, "degraded", "recovered")
        assert [line["event"] for line in lines if line["stage"] == "journal"] == [
            "degraded",
            "recovered",
        ]
        assert await stack.events() == []  # what was tried meanwhile has left nothing
        assert await set_screens(stack, is_blank=True) == 1


async def test_each_segment_has_one_line_when_it_is_through(own_stack: StartStack) -> None:
    stack = await own_stack()
    talk = await Talk.begun(stack, target_languages=["es", "fr"])
    await talk.say(sermon([1, REFUSED_SENTENCE, 3]))
    events = await talk.end()

    async def are_through() -> bool:
        return len(logged(stack, "segment")) >= 3

    await until(are_through)
    lines = {line["segment_id"]: line for line in logged(stack, "segment")}
    assert sorted(lines) == [1, 2, 3]
    assert len(logged(stack, "segment")) == 3
    events = await stack.events(talk.session_id)
    for segment_id, line in lines.items():
        assert line["session_id"] == talk.session_id
        assert line["lag_ms"] >= 0
        assert line["stt_model"] == "rule/value"
        assert sorted(line["languages"]) == ["es", "fr"]
        (transcript,) = [e for e in events if e.transcript.segment_id == segment_id]
        assert line["transcript_sequence"] == transcript.sequence < line["sequence"]
        assert line["revision"] == transcript.transcript.revision
    first = lines[1]["languages"]["es"]
    assert first["mt_model"] == "rule/bracket"
    assert 0 < first["signals"]["length_ratio"] <= 1
    assert first["through_ms"] >= first["translated_ms"] >= 0
    assert lines[2]["languages"]["fr"]["failed_for"] == "TEXT_TOO_LONG"
    assert "sentence" not in stack.gateway.log_path.read_text(), "what was said is in the log"


async def test_a_segment_that_was_under_way_at_a_restart_has_its_line_too(
    own_stack: StartStack,
) -> None:
    stack = await own_stack()
    stack.peers["qe"].kill()
    talk = await Talk.begun(stack)
    await talk.say(sermon([1]))
    await talk.until(lambda events: any(event.HasField("translation") for event in events))
    stack.gateway.kill()
    stack.gateway.start()
    await stack.gateway.wait_ready()
    assert logged(stack, "segment") == []
    stack.peers["qe"].start()

    async def is_through() -> bool:
        return bool(logged(stack, "segment"))

    await until(is_through)
    (line,) = logged(stack, "segment")
    assert (line["session_id"], line["segment_id"]) == (talk.session_id, 1)
    assert line["languages"]["es"]["mt_model"] == "rule/bracket"
    assert "lag_ms" not in line
