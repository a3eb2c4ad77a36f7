"""Reports of a real collector, which reads them from a real gateway's journal."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from bench.filled_journal import fill
from cli.collector_client import Collector
from glossa.collector.v1 import collector_pb2
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.collector import reports
from services.collector.owed_reports import OwedReports
from services.collector.report import NAMES
from services.collector.reports import Reports
from services.errors import NotFound, Unavailable
from services.settings import port
from tests.cli.verb import run_verb
from tests.collector.redis_process import RedisProcess
from tests.processes import ServiceProcess, free_port_base

PAIRS = 30
SESSION = "session-0000"
WAIT_S = 60.0


class Reporting:
    """A gateway with one ended session in its journal, a collector and Redis."""

    def __init__(self, folder: Path) -> None:
        base = free_port_base()
        self.folder = folder
        self.reports = folder / "reports"
        self.redis = RedisProcess(port("redis", base), folder / "redis")
        self.gateway = ServiceProcess("gateway", base, folder, state_dir=folder / "gateway")
        self.collector = ServiceProcess(
            "collector",
            base,
            folder,
            gateway_address=self.gateway.address,
            redis_url=self.redis.url,
            reports_dir=self.reports,
        )

    async def start(self) -> None:
        await fill(self.folder / "gateway", PAIRS)
        self.redis.start()
        for service in (self.gateway, self.collector):
            service.start()
            await service.wait_ready()

    def stop(self) -> None:
        self.collector.kill()
        self.gateway.kill()
        self.redis.kill()

    async def until(self, path: Path, *, there: bool) -> None:
        await until(lambda: path.exists() == there)

    async def asked_for(self, session_id: str) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        async with Collector(self.collector.address) as collector:
            async for piece in collector.stub.MakeReport(
                collector_pb2.MakeReportRequest(session_id=session_id), timeout=WAIT_S
            ):
                files[piece.file_name] = files.get(piece.file_name, b"") + piece.data
        return files


@pytest_asyncio.fixture
async def reporting(tmp_path: Path) -> AsyncIterator[Reporting]:
    reporting = Reporting(tmp_path)
    try:
        await reporting.start()
        yield reporting
    finally:
        reporting.stop()


async def test_a_report_is_written_when_a_session_ends_and_goes_when_it_is_forgotten(
    reporting: Reporting,
) -> None:
    written = reporting.reports / SESSION
    await reporting.until(written / "report.html", there=True)
    figures = json.loads((written / "report.json").read_text())
    bands = figures["pairs"]["by_language"]["es"]["bands"]
    assert figures["segments"]["finals"] == sum(bands.values()) == PAIRS
    assert figures["pairs"]["owed_scores"] == 0
    assert figures["session"]["end_reason"] == "finished"
    page = (written / "report.html").read_text()
    assert page.count("<svg") == 4
    async with grpc.aio.insecure_channel(reporting.gateway.address) as channel:
        await gateway_pb2_grpc.GatewayServiceStub(channel).ForgetSession(
            gateway_pb2.ForgetSessionRequest(session_id=SESSION), timeout=WAIT_S
        )
    await reporting.until(written, there=False)


async def test_a_report_that_is_asked_for_says_the_same(reporting: Reporting) -> None:
    await reporting.until(reporting.reports / SESSION / "report.html", there=True)
    files = await reporting.asked_for(SESSION)
    for name in ("report.json", "report.html"):
        assert files[name] == (reporting.reports / SESSION / name).read_bytes()


@pytest.mark.parametrize("session_id", ["session-9", "../../etc", "a\0b", "a" * 300_000, ""])
async def test_a_session_that_is_not_there_is_said(reporting: Reporting, session_id: str) -> None:
    with pytest.raises(NotFound) as refused:
        await reporting.asked_for(session_id)
    assert refused.value.reason == "UNKNOWN_SESSION"


async def test_the_verb_lists_sessions_and_writes_the_last_one(
    reporting: Reporting, tmp_path: Path
) -> None:
    places = [
        *("--gateway", reporting.gateway.address),
        *("--collector", reporting.collector.address),
    ]
    listed = await asyncio.to_thread(run_verb, "report", *places)
    assert listed.returncode == 0
    assert SESSION in listed.stdout
    out = tmp_path / "out"
    made = await asyncio.to_thread(run_verb, "report", "last", "--out", str(out), "--json", *places)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout.splitlines()[-1]) == json.loads((out / "report.json").read_text())
    assert str(out / "report.html") in made.stderr.replace("\n", "")
    unknown = await asyncio.to_thread(run_verb, "report", "session-9", *places)
    assert unknown.returncode == 1
    assert "session-9" in unknown.stderr
    assert "Traceback" not in unknown.stderr


@pytest.fixture
def maker_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a program in the place of the one that draws reports; it writes empty ones."""

    def put(does_first: str) -> None:
        maker = tmp_path / "maker"
        files = " ".join(f'"$4/{name}"' for name in NAMES)
        maker.write_text(f'#!/bin/sh\n{does_first}\nmkdir -p "$4"\ntouch {files}\n')
        maker.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(maker))

    return put


WAITS = 'touch "{begun}"; while [ ! -e "{go}" ]; do sleep 0.02; done'
FAILS_FIRST = 'if [ ! -e "{tried}" ]; then touch "{tried}"; exit 1; fi'


async def test_a_report_of_a_session_that_is_forgotten_meanwhile_does_not_stay(
    tmp_path: Path, maker_that: Callable[[str], None]
) -> None:
    folder, begun, go = tmp_path / "reports", tmp_path / "begun", tmp_path / "go"
    maker_that(WAITS.format(begun=begun, go=go))
    reports = Reports(folder)
    running = asyncio.create_task(reports.run())
    try:
        reports.session_ended("gone")
        await until(begun.exists)
        reports.session_forgotten("gone")
        reports.session_ended("kept")
        go.touch()
        await until((folder / "kept" / NAMES[-1]).exists)
        assert [path.name for path in folder.glob("[!.]*")] == ["kept"]
    finally:
        running.cancel()


async def test_a_report_that_an_end_cut_off_is_written_at_the_next_start(
    tmp_path: Path, maker_that: Callable[[str], None]
) -> None:
    folder, begun, go = tmp_path / "reports", tmp_path / "begun", tmp_path / "go"
    maker_that(WAITS.format(begun=begun, go=go))
    cut_off = Reports(folder)
    running = asyncio.create_task(cut_off.run())
    cut_off.session_ended("being-made")
    cut_off.session_ended("waiting")
    await until(begun.exists)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    go.touch()

    running = asyncio.create_task(Reports(folder).run())
    try:
        await until(lambda: not OwedReports(folder).oldest_first())
    finally:
        running.cancel()
    made = sorted(path.parent.name for path in folder.glob(f"*/{NAMES[-1]}"))
    assert made == ["being-made", "waiting"]


async def test_a_report_that_could_not_be_made_is_tried_again(
    tmp_path: Path, maker_that: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "reports"
    maker_that(FAILS_FIRST.format(tried=tmp_path / "tried"))
    monkeypatch.setattr(reports, "_ATTEMPT_INTERVAL_S", 0.05)
    OwedReports(folder).add("owed")
    running = asyncio.create_task(Reports(folder).run())
    try:
        await until(lambda: not OwedReports(folder).oldest_first())
    finally:
        running.cancel()
    assert (folder / "owed" / NAMES[-1]).exists()


async def test_without_room_for_a_report_the_collector_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    reports = Reports(tmp_path / "reports")
    running = asyncio.create_task(reports.run())
    reports.session_ended("ended")
    with pytest.raises(Unavailable) as failed:
        await reports.files("asked")
    assert failed.value.reason == "REPORT_FAILED"
    assert not running.done()
    running.cancel()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await asyncio.to_thread(holds):
            await asyncio.sleep(0.02)
