"""A collector that judges with a calibration, and one that is told too much is accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.collector.acceptance import MIN_PAIRS
from services.collector.bands import Thresholds
from services.collector.calibration import IDENTITY, Calibration, ConfidenceMap
from services.collector.composite import stt_confidence
from services.collector.pair_keys import stream_key
from tests.collector.conftest import Stack
from tests.collector.upstream import pair_scored

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
