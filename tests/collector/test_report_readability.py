"""What a report says of reading: how much was taken back, and how fast captions came."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.report import _print
from glossa.gateway.v1 import gateway_pb2
from services.collector.report.figures import figures
from services.collector.report.page import page
from services.collector.report.plots import plots
from services.collector.report.reading import _take
from services.collector.report.record import SessionRecord
from tests.collector.test_report import at, final, session, translated


def judged_nothing(_: object) -> object:
    raise AssertionError("there is no pair in these tests")


def test_what_was_taken_back_is_told_for_each_word_of_the_finals() -> None:
    found = figures(
        session(
            finals=[
                final(1, "one two three", erased_word_count=2),
                final(2, "four five six seven", erased_word_count=5),
            ],
            translations=[translated(1, "uno dos tres cuatro", erased_word_count=0)],
        ),
        None,
    )
    assert found["flicker"] == {
        "en": {"final_words": 7, "erased_words": 7, "normalised_erasure": 1.0},
        "es": {"final_words": 4, "erased_words": 0, "normalised_erasure": 0.0},
    }


def test_finals_without_a_count_are_not_measured_and_do_not_dilute_the_others() -> None:
    record = session(
        finals=[final(1, "one two"), final(2, "three four", erased_word_count=1)],
        translations=[translated(1, "uno dos")],
    )
    found = figures(record, None)
    assert found["flicker"]["en"]["normalised_erasure"] == 0.5
    assert found["flicker"]["es"] == {
        "final_words": 0,
        "erased_words": None,
        "normalised_erasure": None,
    }
    assert page(found, {}).count("not measured") == 1


@pytest.mark.parametrize("count", [None, 0, 3])
def test_a_count_in_the_journal_is_told_from_none(count: int | None) -> None:
    record = SessionRecord("session-a")
    event = gateway_pb2.JournalEvent()
    event.transcript.segment_id = 1
    if count is not None:
        event.transcript.erased_word_count = count
    _take(record, event, judged_nothing)
    event = gateway_pb2.JournalEvent()
    event.translation.segment_id = 1
    if count is not None:
        event.translation.erased_word_count = count
    _take(record, event, judged_nothing)
    assert record.finals[0].erased_word_count == count
    assert record.translations[0].erased_word_count == count


def test_speed_is_the_words_of_a_final_over_the_time_until_the_next_one() -> None:
    texts = ["one two three four five", "one two three", " ".join(["word"] * 20), "the last one"]
    reading = figures(
        session(finals=[final(n, text) for n, text in enumerate(texts, 1)]),  # each 5 s apart
        None,
    )["reading"]
    assert [point["wpm"] for point in reading["timeline"]] == [60, 36, 240]
    assert reading["by_language"]["en"] == {
        "count": 3,
        "p50_wpm": 60.0,
        "p95_wpm": 222.0,
        "share_above_readable": 0.333,
    }
    assert reading["by_language"]["es"]["p50_wpm"] is None
    assert reading["readable_wpm"] == 180


def test_finals_that_came_together_are_read_together() -> None:
    record = session(
        finals=[
            final(1, "one two", time=at(20_000)),
            final(2, "three four five", time=at(20_000)),
            final(3, "six", time=at(25_000)),
        ]
    )
    assert [point["wpm"] for point in figures(record, None)["reading"]["timeline"]] == [60]


def test_translations_are_read_in_the_order_in_which_they_came() -> None:
    record = session(
        finals=[final(n, "one two three") for n in (1, 2)],
        translations=[
            translated(2, "dos", time=at(12_000)),
            translated(1, "uno dos", time=at(10_000)),
        ],
    )
    points = figures(record, None)["reading"]["timeline"]
    assert [(p["language"], p["wpm"]) for p in points] == [("en", 36), ("es", 60)]


def test_a_recording_that_was_fed_fast_has_no_reading_speed() -> None:
    record = session(finals=[final(n, "one two three", time=at(100 * n)) for n in (1, 2)])
    found = figures(record, None)
    assert not found["reading"]["in_real_time"]
    assert found["reading"]["timeline"] == []
    assert found["reading"]["by_language"]["en"]["share_above_readable"] is None
    assert "reading" not in plots(found)
    assert "how fast people would have had to read is not known" in page(found, plots(found))


def test_the_page_draws_the_speed_with_the_line_that_people_follow() -> None:
    record = session(finals=[final(n, "one two three " * n) for n in range(1, 6)])
    found = figures(record, None)
    drawn = plots(found)
    assert "words a minute" in drawn["reading"]
    assert ">180<" in drawn["reading"]
    assert "commonly kept to 180 words a minute" in page(found, drawn)
    json.dumps(found, allow_nan=False)


def test_the_verb_tells_both_in_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["one two three four five", "one two three", "the last one"]  # each 5 s apart
    finals = [final(n, text, erased_word_count=n) for n, text in enumerate(texts, 1)]
    _print(figures(session(finals=finals), None), Path("reports"))
    told = capsys.readouterr().err.splitlines()
    assert "words taken back for each word of a final: en 0.55" in told
    assert "words a minute to read, median: en 48" in told
