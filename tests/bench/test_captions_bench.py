"""`./glossa bench captions`: what it counts, and how it shows what one stalled phone does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from bench.captions import command
from tests.cli.verb import run_verb


def bench(*arguments: str) -> dict[str, Any]:
    done = run_verb("bench", "captions", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def test_a_stalled_display_stops_the_naive_server_and_not_ours() -> None:
    figures = bench("--viewers", "20", "--seconds", "4", "--stalled", "1", "--reconnect", "30")
    naive, without = figures["naive"], figures["naive_none_stalled"]
    assert (figures["viewers"], figures["stalled"], figures["updates"]) == (20, 1, 24)
    assert figures["finals_delivered"] == 1.0
    assert 0.9 < figures["delivered"] <= 1.0
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert figures["cpu_us_per_delivery"] > 0
    assert figures["reconnect"]["viewers"] == figures["reconnect"]["recovered"] == 30
    assert naive["delivered"] < 0.5
    assert without["stalled"] == 0
    assert without["finals_delivered"] == 1.0


@pytest.mark.parametrize("transport", ["sse", "grpc"])
def test_the_other_transports_are_measured_alike(transport: str) -> None:
    figures = bench("--viewers", "10", "--seconds", "4", "--stalled", "0", "--transport", transport)
    assert figures["transport"] == transport
    assert figures["finals_delivered"] == 1.0
    assert figures["naive"]["delivered"] > 0.9
    assert "naive_none_stalled" not in figures


def test_nobody_left_to_measure_is_refused() -> None:
    result = CliRunner().invoke(command, ["--viewers", "5", "--stalled", "5"])
    assert result.exit_code == 2
    assert "--stalled" in result.output
