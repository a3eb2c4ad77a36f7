"""The dashboard: what it makes of reports, and the page itself in Streamlit's own runner."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.sessions import read_sessions, score_rows
from services.collector.bands import Band
from services.collector.pair import Decision, ReviewedPair
from services.collector.report.figures import figures
from tests.collector.test_report import START, at, final, scored, session, translated
from tests.processes import REPOSITORY, free_port_base

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
    for name, text in (("cut", '{"session": {'), ("other", "[]"), ("empty", "{}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(text)
    sessions, unreadable = read_sessions(tmp_path)
    assert [each.session_id for each in sessions] == ["session-1"]
    assert [Path(line.split(":")[0]).parent.name for line in unreadable] == [
        "cut",
        "empty",
        "other",
    ]


def shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("GLOSSA_DASHBOARD_REPORTS", str(folder))
    return AppTest.from_file(str(REPOSITORY / "dashboard/app.py"), default_timeout=60).run()


def test_the_page_shows_the_newest_session_and_its_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1)
    write(tmp_path, 2, heard="race and peace")
    page = shown(tmp_path, monkeypatch)
    assert not page.exception
    figures_shown = {metric.label: (metric.value, metric.delta) for metric in page.metric}
    assert figures_shown["Sessions"] == ("2", "Sunday 2")
    assert figures_shown["Word errors of what was reviewed"] == ("50%", "+25.0%")
    assert figures_shown["Glossary terms kept"] == ("75%", "+0.0%")
    assert list(page.dataframe[0].value["title"]) == ["Sunday 2", "Sunday 1"]


def test_without_a_report_the_page_says_where_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = shown(tmp_path, monkeypatch)
    assert not page.exception
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
