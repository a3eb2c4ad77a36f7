"""A collector that judges with a calibration, and one that is told too much is accepted."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from glossa.types.v1 import types_pb2
from services.collector.acceptance import MIN_PAIRS
from services.collector.bands import Thresholds
from services.collector.calibration import IDENTITY, Calibration, ConfidenceMap
from services.collector.composite import stt_confidence
from services.collector.pair_keys import stream_key
from tests.cli.verb import run_verb
from tests.collector.conftest import Stack
from tests.collector.upstream import pair_reviewed, pair_scored

CALIBRATION = Calibration(
    schema_version=1,
    stt={"rule/stt": ConfidenceMap(((0.0, 0.0), (1.0, 0.5)))},
    thresholds=Thresholds(0.99, 0.6, 0.5),
)


def logged(stack: Stack, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in stack.collector.log_path.read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


async def test_a_calibration_decides_and_is_named_in_log_and_entries(
    stack: Stack, tmp_path: Path
) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(CALIBRATION.to_json())
    stack.collector = stack.new_collector(calibration=path)
    stack.upstream.add([pair_scored(1)])
    await stack.start()
    await stack.caught_up()
    ((_, fields),) = stack.redis.client.xrange(stream_key("moderate"))
    assert fields["calibration"] == CALIBRATION.id
    assert float(fields["stt_confidence"]) == pytest.approx(stt_confidence(-0.05) / 2)
    (judging,) = logged(stack, "judging")
    assert judging["calibration"] == CALIBRATION.id
    assert judging["accept"] == 0.99


async def test_without_a_calibration_entries_and_log_name_none(stack: Stack) -> None:
    stack.upstream.add([pair_scored(1)])
    await stack.start()
    await stack.caught_up()
    ((_, fields),) = stack.redis.client.xrange(stream_key("accept"))
    assert "calibration" not in fields
    (judging,) = logged(stack, "judging")
    assert judging["calibration"] == IDENTITY.id


async def test_too_many_accepted_pairs_are_told_in_metric_log_and_stats(stack: Stack) -> None:
    stack.upstream.add([pair_scored(number) for number in range(1, MIN_PAIRS)])
    await stack.start()
    await stack.caught_up()
    assert list((await stack.stats()).notes) == []
    assert await stack.metric("glossa_collector_auto_accept_ratio") == 1.0
    assert logged(stack, "auto_accept_ratio") == []
    stack.upstream.add([pair_scored(number) for number in range(MIN_PAIRS, MIN_PAIRS + 20)])
    await stack.caught_up()
    (note,) = (await stack.stats()).notes
    assert "./glossa queue calibrate" in note
    (line,) = logged(stack, "auto_accept_ratio")
    assert line["level"] == "warning"


async def test_what_is_exported_can_be_calibrated_from(stack: Stack, tmp_path: Path) -> None:
    words = "The river stands at the edge of the field"
    decisions = (types_pb2.DECISION_ACCEPTED, types_pb2.DECISION_FIXED, types_pb2.DECISION_REJECTED)
    for number in range(1, 13):
        scored = pair_scored(number, session_id=f"session-{number % 3}")
        stack.upstream.add([scored])
        if number % 4:
            source = words if number % 4 == 1 else "The river stood at the edge of the field"
            reviewed = pair_reviewed(scored, decisions[number % 4 - 1], 1, source, "El río")
            stack.upstream.add([reviewed])
    await stack.start()
    await stack.caught_up()

    async def verb(*arguments: object) -> str:
        done = await asyncio.to_thread(run_verb, "queue", *map(str, arguments))
        assert done.returncode == 0, done.stderr
        return done.stdout

    verified, collected = tmp_path / "verified.jsonl", tmp_path / "collected.jsonl"
    to = ("export", "--collector", stack.collector.address)
    await verb(*to, "--band", "corrected", "--out", verified)
    await verb(*to, "--band", "accept", "--out", collected)
    answer = await verb("calibrate", "--pairs", verified, "--collected", collected, "--json")
    found = json.loads(answer.splitlines()[-1])
    assert (found["pair_count"], found["good_count"], found["session_count"]) == (9, 3, 3)
    (recogniser,) = found["recognisers"]
    assert recogniser["stt_model"] == "rule/stt"
    assert (recogniser["pair_count"], recogniser["right_count"]) == (9, 3)
