"""`./glossa status` without a stack, and what it reads out of /metrics."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from aiohttp import web

from cli.metrics_page import Durations, MetricsPage
from cli.stack_status import StackStatus
from cli.status_screen import as_object
from glossa.gateway.v1 import gateway_pb2
from services.settings import port
from tests.cli.described_stack import describe_stack
from tests.cli.verb import run_verb
from tests.processes import ServiceProcess, free_port_base

PAGE = """
# TYPE waiting gauge
waiting{kind="final"} 2
waiting{kind="partial"} 3
waiting{kind="lost"} NaN
# TYPE calls_total counter
calls_total{code="OK",method="a"} 5
calls_total{code="OK",method="b"} 7
# TYPE never_total counter
"""


def test_samples_are_added_up_by_a_label() -> None:
    page = MetricsPage(PAGE)
    assert page.by_label("waiting", "kind") == {"final": 2, "partial": 3}
    assert page.by_label("calls_total", "code") == {"OK": 12}
    assert page.total("calls_total") == 12
    assert page.by_label("unheard_of", "kind") == {}
    assert page.names == {"waiting", "calls_total", "never_total"}


def test_quantiles_are_those_of_prometheus() -> None:
    registry = prometheus_client.CollectorRegistry()
    histogram = prometheus_client.Histogram(
        "took_seconds", "", ["kind"], buckets=(1, 2, 4), registry=registry
    )
    for value in (0.5, 1.5, 1.5, 3):
        histogram.labels("a").observe(value)
    histogram.labels("beyond").observe(100)
    histogram.labels("never")
    page = MetricsPage(prometheus_client.generate_latest(registry).decode())
    durations = page.durations("took_seconds", "kind")
    assert sorted(durations) == ["a", "beyond"]
    # Half of the way through the two between 1 and 2 s; four fifths through the one up to 4 s.
    assert durations["a"].p50_ms == pytest.approx(1500)
    assert durations["a"].p95_ms == pytest.approx(3600)
    assert durations["a"].count == 4
    assert durations["beyond"].p50_ms == pytest.approx(4000)
    assert {"took_seconds_bucket", "took_seconds_sum", "took_seconds_count"} <= page.names


def test_it_says_that_nothing_runs_and_exits_with_2(tmp_path: Path) -> None:
    unused_ports = describe_stack(tmp_path, free_port_base())
    done = run_verb("status", GLOSSA_STATE_DIR=unused_ports)
    assert done.returncode == 2
    assert done.stdout.startswith("Nothing of Glossa runs on this machine's ports: ./glossa up")
    told = run_verb("status", "--json", GLOSSA_STATE_DIR=unused_ports)
    assert told.returncode == 2
    found = json.loads(told.stdout.splitlines()[-1])
    assert found["state"] == "away"
    assert {each["state"] for each in found["services"].values()} == {"away"}


def test_what_is_a_fraction_has_one_decimal_in_json() -> None:
    lag = gateway_pb2.Lag(stage="transcript", p50_ms=1234.5678, p95_ms=2000, count=3)
    session = gateway_pb2.SessionStatus(level_dbfs=-23.456789, final_count=3, lags=[lag])
    found = as_object(
        StackStatus((), sessions=(session,), stages={"stt final": Durations(0.123, 45.678, 9)})
    )
    assert found["stages"] == {"stt final": {"p50_ms": 0.1, "p95_ms": 45.7, "count": 9}}
    (session_found,) = found["sessions"]
    assert session_found["level_dbfs"] == -23.5
    assert session_found["lags"][0]["p50_ms"] == 1234.6


async def test_a_frozen_service_is_stuck_and_not_away_and_the_exit_status_1(tmp_path: Path) -> None:
    base = free_port_base()
    folder = describe_stack(tmp_path, base)
    gateway = ServiceProcess("gateway", base, tmp_path, state_dir=tmp_path / "gateway")
    gateway.start()
    try:
        await gateway.wait_ready()
        found = await told(folder)
        assert found["services"]["gateway"]["state"] == "serving"
        assert found["services"]["gateway"]["up_s"] >= 0
        assert found["services"]["stt"]["state"] == "away"
        assert "stt is away" in found["troubles"]
        gateway.signal(signal.SIGSTOP)
        found = await told(folder)
        assert found["services"]["gateway"]["state"] == "stuck"
        assert [each for each in found["troubles"] if "gateway" in each] == ["gateway is stuck"]
    finally:
        gateway.kill()


@pytest.mark.parametrize("page", ["<html>", 'took_bucket{kind="final"} 1', "a " + "9" * 400])
async def test_another_program_on_a_port_is_named_and_ends_nothing(
    page: str, tmp_path: Path
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=page)

    app = web.Application()
    app.router.add_get("/{anything}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    base = free_port_base()
    await web.TCPSite(runner, "127.0.0.1", port("stt_http", base)).start()
    folder = describe_stack(tmp_path, base)
    try:
        objects = await asyncio.to_thread(run_verb, "status", "--json", GLOSSA_STATE_DIR=folder)
        shown = await asyncio.to_thread(run_verb, "status", GLOSSA_STATE_DIR=folder)
    finally:
        await runner.cleanup()
    assert (objects.returncode, shown.returncode) == (2, 2)
    found = json.loads(objects.stdout.splitlines()[-1])
    assert found["services"]["stt"]["state"] == found["state"] == "away"
    assert found["troubles"] == ["another program answers on stt's port"]
    assert "! another program answers on stt's port" in shown.stdout


async def told(folder: str) -> dict[str, Any]:
    """What the verb says of a stack in which something is wrong."""
    done = await asyncio.to_thread(run_verb, "status", "--json", GLOSSA_STATE_DIR=folder)
    assert done.returncode == 1, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["state"] == "degraded"
    return found
