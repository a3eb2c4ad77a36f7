"""A running stack as those who keep it see it: Prometheus, `./glossa status`, the log."""

from __future__ import annotations

import asyncio
import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cli.client import Closed
from cli.metrics_page import MetricsPage
from services.settings import PORT_BASE, PORT_OFFSETS, SERVICES, port
from tests.contract.dashboards import (
    PROMETHEUS,
    all_expressions,
    expressions_of,
    metrics_of,
    panels,
)
from tests.e2e.stack import UpStack, speak
from tests.processes import free_port_base
from tests.speech import spoken, with_pauses
from tests.test_dashboard import shown

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(240),
    pytest.mark.slow,
]

DEADLINE_S = 60.0
SENTENCES = (
    "In the beginning God created the heavens and the earth.",
    "There is bread on the table for everyone who is hungry.",
)
# Panels that show something after any session, whatever went well or wrong in it.
TOLD_BY_ANY_SESSION = (
    "Services",
    "What captions go without",
    "Alerts",
    "Sessions",
    "Viewers now",
    "Lag: from the last speech to the journal",
    "Decoding: time of one step",
    "Real-time factor",
    "Translating: time of one text in the engine",
    "Tokens a second",
    "Waiting for a translation",
    "Bands of new pairs",
    "Pairs in Redis",
    "Scoring: time of one run",
    "Behind the journal",
    "Redis",
    "Memory",
    "Processor",
    "Event loops",
    "Disk of the journal",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[UpStack]:
    stack = UpStack(tmp_path_factory.mktemp("stack"))
    await stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spoken_session(stack: UpStack) -> Closed:
    """A session of two sentences that is over, its pairs in Redis."""
    pcm = with_pauses(*(spoken(sentence) for sentence in SENTENCES))
    closed = await speak(stack.speaker(speed=0), pcm)
    events = await stack.events(closed.session_id)
    await stack.stats_after(events[-1].sequence, closed.session_id)
    return closed


class Prometheus:
    """A real one that watches the stack."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def query(self, expression: str) -> list[dict[str, Any]]:
        query = urllib.parse.urlencode({"query": expression})
        answer = json.loads(await fetched(f"http://{self._address}/api/v1/query?{query}"))
        assert answer["status"] == "success", answer
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    async def until(self, expression: str, *, count: int = 1) -> list[dict[str, Any]]:
        """Its result, once it has so many series at least."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    try:
                        found = await self.query(expression)
                    except OSError:  # it is starting
                        found = []
                    if len(found) >= count:
                        return found
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"{expression}: fewer than {count} series") from None


@asynccontextmanager
async def watching(stack: UpStack, folder: Path) -> AsyncIterator[Prometheus]:
    """Prometheus with the files of deploy/, on the stack's ports and each second."""
    base = int(stack.description()["port_base"])
    text = (PROMETHEUS / "prometheus-local.yml").read_text().replace("interval: 5s", "interval: 1s")
    for name in SERVICES:
        offset = PORT_OFFSETS[f"{name}_http"]
        text = text.replace(f"127.0.0.1:{PORT_BASE + offset}", f"127.0.0.1:{base + offset}")
    (folder / "prometheus.yml").write_text(text)
    (folder / "alerts.yml").write_text((PROMETHEUS / "alerts.yml").read_text())
    address = f"127.0.0.1:{free_port_base()}"
    with (folder / "prometheus.log").open("wb") as log_file:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=log_file,
            stderr=log_file,
        )
    try:
        yield Prometheus(address)
    finally:
        process.terminate()
        process.wait(20)


async def fetched(url: str) -> str:
    def fetch() -> str:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
            return str(response.read().decode())

    return await asyncio.to_thread(fetch)


async def test_every_metric_that_is_asked_for_is_one_that_a_service_tells(stack: UpStack) -> None:
    base = int(stack.description()["port_base"])
    told: set[str] = set()
    for name in SERVICES:
        url = f"http://127.0.0.1:{port(f'{name}_http', base)}/metrics"
        told |= MetricsPage(await fetched(url)).names
    asked = {metric for expression in all_expressions() for metric in metrics_of(expression)}
    assert len(asked) > 50
    assert asked <= told, asked - told


async def test_prometheus_sees_every_service_and_has_something_for_the_dashboard(
    stack: UpStack, spoken_session: Closed, tmp_path: Path
) -> None:
    async with watching(stack, tmp_path) as prometheus:
        up = await prometheus.until("up == 1", count=len(SERVICES))
        assert {each["metric"]["service"] for each in up} == set(SERVICES)
        # Rates want two samples: somebody speaks while Prometheus looks.
        await prometheus.until("count_over_time(up[1m]) > 2", count=len(SERVICES))
        pcm = with_pauses(spoken(SENTENCES[0]))
        closed = await speak(stack.speaker(speed=0), pcm)
        await stack.events(closed.session_id)
        shown = {panel["title"]: panel for panel in panels()}
        for title in TOLD_BY_ANY_SESSION:
            for expression in expressions_of(shown[title])[:1]:
                found = await prometheus.until(expression)
                assert all(each["value"][1] is not None for each in found), title
        await prometheus.until(
            "max(glossa_gateway_journal_sequence) - max(glossa_collector_cursor_sequence) == 0"
        )
        for expression in all_expressions():
            await prometheus.query(expression)  # labels match as the expression wants them


async def test_status_tells_how_a_stack_is(stack: UpStack, spoken_session: Closed) -> None:
    text = await stack.verb("status")
    assert "All is well." in text
    assert "pocketsphinx/en-us" in text
    assert "No session is open." in text
    found = json.loads((await stack.verb("status", "--json")).splitlines()[-1])
    assert found["state"] == "good"
    assert {each["state"] for each in found["services"].values()} == {"serving"}
    assert all(each["up_s"] >= 0 for each in found["services"].values())
    assert found["stages"]["lag transcript"]["count"] >= len(SENTENCES)
    assert found["stages"]["lag translation:es"]["p95_ms"] > 0
    assert sum(found["pairs"]["by_band"].values()) >= len(SENTENCES)
    assert found["queues"]["owed translate"] == 0


async def test_the_quality_page_shows_the_session_and_that_all_is_well(
    stack: UpStack, spoken_session: Closed, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = Path(stack.description()["state_dir"]) / "reports"
    async with asyncio.timeout(DEADLINE_S):
        while not (reports / spoken_session.session_id / "report.json").exists():
            await asyncio.sleep(0.1)
    page = await asyncio.to_thread(shown, reports, monkeypatch, **stack.client_environment)
    assert not page.warning  # every report can be read
    (table,) = page.dataframe
    assert spoken_session.session_id in set(table.value["session_id"])
    assert [each.value for each in page.tabs[3].success] == ["All is well."]


async def test_the_log_has_one_line_for_each_segment_without_its_words(
    stack: UpStack, spoken_session: Closed
) -> None:
    log = (Path(stack.description()["state_dir"]) / "logs" / "gateway.log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    segments = [
        line
        for line in lines
        if line["event"] == "segment" and line["session_id"] == spoken_session.session_id
    ]
    assert sorted(line["segment_id"] for line in segments) == [1, 2]
    for line in segments:
        assert line["languages"]["es"]["signals"]
        assert line["stt_ms"] > 0
        assert "heaven" not in json.dumps(line).lower()
