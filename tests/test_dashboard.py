"""The dashboard: what it makes of reports, and the page itself in Streamlit's own runner."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Tab

from dashboard.sessions import read_sessions, score_rows
from services.collector.bands import Band
from services.collector.pair import Decision, ReviewedPair
from services.collector.report.figures import figures
from tests.cli.test_status import describe_stack
from tests.collector.test_report import START, at, final, scored, session, translated
from tests.processes import REPOSITORY, ServiceProcess, free_port_base

REPORTS = "GLOSSA_DASHBOARD_REPORTS"
SIN = ("sin", "pecado")


def write(folder: Path, number: int, *, heard: str = "grace and peace", score: float = 0.9) -> None:
    """The report of a session in which a pair of four words was put right, a term was lost once in
    four, and one of two pairs was accepted."""
    good, poor = scored(1, Band.ACCEPT, score), scored(2, Band.REVIEW, 0.6, source_text=heard)
    record = session(
        session_id=f"session-{number}",
        title=f"Sunday {number}",
        start_time=START + timedelta(weeks=number),
        finals=[final(1, "a b c"), final(2, heard)],
        translations=[
            translated(1, "pecado", required_terms=(SIN, SIN, SIN)),
            translated(2, "gracia", required_terms=(SIN,), missing_terms=(SIN,)),
        ],
        judged=[(at(0), good), (at(0), poor)],
        reviews=[
            ReviewedPair(
                *(poor, 1, at(0), Decision.FIXED, "grace and peace today"),
                *("gracia y paz", "Ana", "r1", 1),
            )
        ],
    )
    (folder / record.session_id).mkdir(parents=True)
    text = json.dumps(figures(record, None))
    (folder / record.session_id / "report.json").write_text(text)


def test_a_report_becomes_a_session(tmp_path: Path) -> None:
    write(tmp_path, 2, heard="race and peace")
    write(tmp_path, 1)
    sessions, unreadable = read_sessions(tmp_path)
    assert unreadable == []
    assert [each.title for each in sessions] == ["Sunday 1", "Sunday 2"]
    first, second = sessions
    assert first.reviewed_words == 4
    assert first.word_error_rate == pytest.approx(1 / 4)  # one word was left out
    assert second.word_error_rate == pytest.approx(2 / 4)  # and one was misheard
    assert first.term_accuracy == pytest.approx(3 / 4)
    assert first.accept_ratio == pytest.approx(1 / 2)
    values = [row["value"] for row in score_rows([first]) if row["signal"] == "composite"]
    assert sorted(values) == [0.6, 0.9]


def test_a_damaged_report_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    write(tmp_path, 1)
    whole = (tmp_path / "session-1" / "report.json").read_text()
    without_zone = whole.replace("+00:00", "")  # nothing says when that was
    assert without_zone != whole
    for name, text in (
        ("cut", '{"session": {'),
        ("other", "[]"),
        ("empty", "{}"),
        ("nowhere", without_zone),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(text)
    sessions, unreadable = read_sessions(tmp_path)
    assert [each.session_id for each in sessions] == ["session-1"]
    assert [Path(line.split(":")[0]).parent.name for line in unreadable] == [
        "cut",
        "empty",
        "nowhere",
        "other",
    ]
    assert "session.start_time" in unreadable[2]


def shown(folder: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> AppTest:
    """The page, which asks for the health of no stack unless `environment` names one."""
    for name, value in (environment | {REPORTS: str(folder)}).items():
        monkeypatch.setenv(name, value)
    if "GLOSSA_STATE_DIR" not in environment:
        monkeypatch.setenv("GLOSSA_STATE_DIR", describe_stack(folder, free_port_base()))
    page = AppTest.from_file(str(REPOSITORY / "dashboard/app.py"), default_timeout=60).run()
    assert not page.exception
    return page


def charts(tab: Tab) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """What each chart of a tab draws by what, and the rows that it draws."""
    found = []
    for chart in tab.get("vega_lite_chart"):
        (dataset,) = chart.proto.datasets
        rows = pyarrow.ipc.open_stream(dataset.data.data).read_all().to_pylist()
        found.append((json.loads(chart.proto.spec)["encoding"], rows))
    return found


def test_the_page_shows_the_newest_session_and_its_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1)
    write(tmp_path, 2, heard="race and peace")
    page = shown(tmp_path, monkeypatch)
    figures_shown = {metric.label: (metric.value, metric.delta) for metric in page.metric}
    assert figures_shown == {
        "Sessions": ("2", "Sunday 2"),
        "Word errors of what was reviewed": ("50%", "+25.0%"),
        "Glossary terms kept": ("75%", "+0.0%"),
        "Pairs good enough to train on": ("50%", "+0.0%"),
    }
    assert list(page.dataframe[0].value["title"]) == ["Sunday 2", "Sunday 1"]


def test_the_trend_has_a_point_for_each_session_in_each_of_three_charts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1)
    write(tmp_path, 2, heard="race and peace")
    trend = shown(tmp_path, monkeypatch).tabs[0]
    drawn = charts(trend)
    assert [{row["session"]: row["value"] for row in rows} for _, rows in drawn] == [
        {"Sunday 1": pytest.approx(0.25), "Sunday 2": pytest.approx(0.5)},
        {"Sunday 1": pytest.approx(0.75), "Sunday 2": pytest.approx(0.75)},
        {"Sunday 1": pytest.approx(0.5), "Sunday 2": pytest.approx(0.5)},
    ]
    for encoding, rows in drawn:
        assert (encoding["x"]["field"], encoding["y"]["field"]) == ("date", "value")
        assert [row["date"] for row in rows] == [START + timedelta(weeks=n) for n in (1, 2)]


def test_the_scores_are_those_of_the_chosen_sessions_and_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1, score=0.8)
    write(tmp_path, 2, score=0.9)
    page = shown(tmp_path, monkeypatch)
    ((encoding, rows),) = charts(page.tabs[1])
    assert (encoding["x"]["field"], encoding["y"]["aggregate"]) == ("value", "count")
    assert {row["session"] for row in rows} == {"Sunday 2"}  # the newest, until others are chosen
    assert sorted(row["value"] for row in rows) == [0.6, 0.9]
    page.multiselect[0].set_value(page.multiselect[0].options)
    ((_, rows),) = charts(page.radio[0].set_value("recognition").run().tabs[1])
    assert sorted((row["session"], row["value"]) for row in rows) == [
        ("Sunday 1", 0.6),
        ("Sunday 1", 0.8),
        ("Sunday 2", 0.6),
        ("Sunday 2", 0.9),
    ]


def test_health_says_when_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 1)
    health = shown(tmp_path, monkeypatch).tabs[3]
    assert [each.value for each in health.info] == [
        "Nothing of Glossa answers on this machine now."
    ]


async def test_health_says_what_is_wrong_with_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1)
    base = free_port_base()
    stack = describe_stack(tmp_path, base)
    gateway = ServiceProcess("gateway", base, tmp_path, state_dir=tmp_path / "gateway")
    gateway.start()
    try:
        await gateway.wait_ready()
        page = await asyncio.to_thread(shown, tmp_path, monkeypatch, GLOSSA_STATE_DIR=stack)
    finally:
        gateway.kill()
    health = page.tabs[3]
    assert [each.value for each in health.warning] == ["Something is not as it should be:"]
    told = json.loads(health.json[0].value)
    assert "stt is away" in told["troubles"]
    assert told["services"]["gateway"]["state"] == "serving"


def test_health_says_why_it_cannot_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 1)
    missing = str(tmp_path / "nowhere")
    health = shown(tmp_path, monkeypatch, GLOSSA_CERTIFICATES_DIR=missing).tabs[3]
    assert [missing in each.value for each in health.error] == [True]


def test_without_a_report_the_page_says_where_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = shown(tmp_path, monkeypatch)
    assert "one is written when a session ends" in page.info[0].value


def test_the_verb_serves_the_page_to_this_machine_alone(tmp_path: Path) -> None:
    write(tmp_path, 1)
    port = free_port_base()
    command = [sys.executable, "-P", "-m", "cli", "dashboard", "--reports", str(tmp_path)]
    process = subprocess.Popen([*command, "--port", str(port)], cwd=REPOSITORY, env=os.environ)
    try:
        deadline = time.monotonic() + 60
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                break
            except ConnectionError:
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.1)
        assert answer.status == 200
        assert b"streamlit" in answer.read().lower()
        listening = Path("/proc/net/tcp").read_text() if Path("/proc/net/tcp").exists() else ""
        assert f"00000000:{port:04X}" not in listening
    finally:
        process.terminate()
        process.wait(20)
