"""The page itself, run by Streamlit: `./glossa dashboard`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import altair
import pandas
import streamlit

from dashboard.sessions import SCORES, Session, read_sessions, score_rows

REPORTS = "GLOSSA_DASHBOARD_REPORTS"
_STATUS_TIMEOUT_S = 20
_TREND = {
    "word_error_rate": "Word errors of what was reviewed",
    "term_accuracy": "Glossary terms kept",
    "accept_ratio": "Pairs good enough to train on",
}


def main() -> None:
    streamlit.set_page_config("Glossa: quality", layout="wide")
    streamlit.title("Quality over the sessions")
    folder = Path(os.environ[REPORTS])
    sessions, unreadable = read_sessions(folder)
    for line in unreadable:
        streamlit.warning(line)
    if not sessions:
        streamlit.info(
            f"There is no report in {folder} yet: one is written when a session ends "
            "(`./glossa report SESSION` writes one again)."
        )
    else:
        _headline(sessions)
        trend, scores, table, health = streamlit.tabs(["Trend", "Scores", "Sessions", "Health"])
        with trend:
            _show_trend(sessions)
        with scores:
            _show_scores(sessions)
        with table:
            _show_table(sessions)
        with health:
            _show_health()


def _headline(sessions: list[Session]) -> None:
    """The newest session's figures, and how they differ from the one before."""
    newest, before = sessions[-1], sessions[-2] if len(sessions) > 1 else None
    columns = streamlit.columns(len(_TREND) + 1)
    columns[0].metric("Sessions", len(sessions), newest.title, delta_color="off")
    for column, (name, label) in zip(columns[1:], _TREND.items(), strict=True):
        value, earlier = getattr(newest, name), getattr(before, name, None)
        column.metric(
            label,
            "not measured" if value is None else f"{value:.0%}",
            None if value is None or earlier is None else f"{value - earlier:+.1%}",
            delta_color="inverse" if name == "word_error_rate" else "normal",
        )


def _show_trend(sessions: list[Session]) -> None:
    for name, label in _TREND.items():
        rows = [
            {"date": each.start_time, "value": getattr(each, name), "session": each.title}
            for each in sessions
            if getattr(each, name) is not None
        ]
        streamlit.subheader(label)
        if not rows:
            streamlit.caption("Not measured in any session yet.")
            continue
        streamlit.altair_chart(
            altair.Chart(pandas.DataFrame(rows))
            .mark_line(point=True)
            .encode(
                altair.X("date:T", title="session"),
                altair.Y("value:Q", title=None, axis=altair.Axis(format="%")),
                altair.Tooltip(["session", "value"]),
            ),
            width="stretch",
        )
    streamlit.caption(
        "Word errors rest on what people reviewed, which are doubtful pairs: it is worse than the "
        "whole, and good for comparing one month with the next."
    )


def _show_scores(sessions: list[Session]) -> None:
    by_title = {f"{each.title} ({each.start_time:%d %b %Y})": each for each in sessions}
    newest = list(by_title)[-1]
    chosen = streamlit.multiselect("Sessions", list(by_title), [newest])
    signal = streamlit.radio("Signal", list(SCORES.values()), horizontal=True)
    rows = [
        row for row in score_rows([by_title[each] for each in chosen]) if row["signal"] == signal
    ]
    if not rows:
        streamlit.caption("Nothing was scored by this signal.")
        return
    streamlit.altair_chart(
        altair.Chart(pandas.DataFrame(rows))
        .mark_bar(opacity=0.6)
        .encode(
            altair.X("value:Q", bin=altair.Bin(step=0.05), title=signal),
            altair.Y("count()", stack=None, title="pairs"),
            altair.Color("session:N"),
        ),
        width="stretch",
    )


def _show_table(sessions: list[Session]) -> None:
    rows = [
        {name: value for name, value in asdict(each).items() if name not in ("scores", "bands")}
        | {f"{band} pairs": count for band, count in each.bands.items()}
        for each in reversed(sessions)
    ]
    streamlit.dataframe(pandas.DataFrame(rows), hide_index=True)


def _show_health() -> None:
    """What `./glossa status` says of what runs on this machine now."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "cli", "status", "--json"],
            capture_output=True,
            text=True,
            timeout=_STATUS_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        streamlit.error(f"./glossa status said nothing in {_STATUS_TIMEOUT_S} s.")
        return
    try:
        said = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):  # certificates or a token that it cannot read
        streamlit.error(done.stderr or "./glossa status could not say how it is.")
        return
    if said["state"] == "away":
        streamlit.info("Nothing of Glossa answers on this machine now.")
        return
    if said["state"] == "good":
        streamlit.success("All is well.")
    else:
        streamlit.warning("Something is not as it should be:")
    streamlit.json(said)


main()
