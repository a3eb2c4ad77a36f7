"""Session reports: what the figures say, and that a text is never more than a text."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from services.collector.bands import Band
from services.collector.pair import Decision, ExcludedPair, ReviewedPair, ScoredPair
from services.collector.report.figures import figures
from services.collector.report.page import page
from services.collector.report.percentiles import percentiles
from services.collector.report.plots import plots
from services.collector.report.record import Final, Gap, Mended, SessionRecord, Translated
from services.collector.report.wording import capitalised_within, words_of
from tests.collector.pairs import pair

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def at(offset_ms: float) -> datetime:
    return START + timedelta(milliseconds=offset_ms)


def final(segment_id: int, text: str, said_ms: int | None = None, **more: object) -> Final:
    """Spoken in the second before `said_ms`, in the journal 800 ms after it."""
    end_ms = 5000 * segment_id if said_ms is None else said_ms
    return Final(
        **{
            "segment_id": segment_id,
            "time": at(end_ms + 800),
            "text": text,
            "model": "test/stt",
            "start_offset_ms": end_ms - 1000,
            "end_offset_ms": end_ms,
            "endpoint_offset_ms": end_ms + 500,
            "engine_ms": 200.0,
            "flags": (),
            "corrections": (),
            "homophones": (),
            **more,
        }
    )


def translated(segment_id: int, text: str, after_ms: float = 300.0, **more: object) -> Translated:
    return Translated(
        **{
            "segment_id": segment_id,
            "language": "es",
            "time": at(5000 * segment_id + 800 + after_ms),
            "text": text,
            "model": "test/mt",
            "engine_ms": 250.0,
            "flags": (),
            "required_terms": (),
            "missing_terms": (),
            **more,
        }
    )


def scored(segment_id: int, band: Band, score: float, **more: object) -> ScoredPair:
    return ScoredPair(
        pair(segment_id=segment_id, session_id="session-a", **more),
        band,
        score,
        score,
        score,
        score,
    )


def session(**more: object) -> SessionRecord:
    return SessionRecord(
        **{
            "session_id": "session-a",
            "title": "Sunday",
            "source_language": "en",
            "target_languages": ("es",),
            "start_time": START,
            **more,
        }
    )


def test_pairs_are_counted_by_language_band_and_reason() -> None:
    record = session(
        translations=[translated(number, "texto") for number in range(1, 6)],
        judged=[
            (at(0), scored(1, Band.ACCEPT, 0.9)),
            (at(0), scored(2, Band.ACCEPT, 0.9)),
            (at(0), scored(3, Band.REVIEW, 0.6)),
            (at(0), ExcludedPair(pair(segment_id=4), "too_few_words")),
        ],
    )
    found = figures(record, None)["pairs"]
    assert found["by_language"]["es"] == {
        "bands": {"accept": 2, "moderate": 0, "review": 1, "reject": 0},
        "excluded": {"too_few_words": 1},
        "accept_ratio": 0.667,
    }
    assert found["owed_scores"] == 1


def test_lag_is_what_a_reader_waited_and_what_it_is_made_of() -> None:
    record = session(
        finals=[final(number, "one two three") for number in (1, 2, 3)],
        translations=[
            translated(1, "uno", 300),
            translated(2, "dos", 400),
            translated(3, "tres", 500),
        ],
    )
    lag = figures(record, None)["lag_ms"]
    assert lag["in_real_time"]
    assert lag["endpointing"]["p50"] == 500
    assert lag["recognition"]["p50"] == 200
    assert lag["source_caption"]["p50"] == 800
    assert lag["translation"]["p50"] == 400
    assert lag["target_caption"]["p50"] == 1200


def test_a_recording_that_was_fed_fast_has_no_lag_of_captions() -> None:
    record = session(finals=[final(1, "one two three", time=at(100))])
    lag = figures(record, None)["lag_ms"]
    assert not lag["in_real_time"]
    assert "source_caption" not in lag
    assert lag["endpointing"]["p50"] == 500


def test_percentiles_are_interpolated() -> None:
    assert percentiles([10.0, 0.0])["p50"] == 5.0
    assert percentiles(range(101))["p99"] == 99.0
    assert percentiles([])["p50"] is None


def test_new_words_are_those_that_earlier_sessions_did_not_have() -> None:
    record = session(
        finals=[
            final(1, "The propitiation of Christ is grace."),
            final(2, "We call it propitiation, and grace, and mercy."),
            final(3, "Once only: sanctification."),
        ],
        translations=[translated(1, "x", required_terms=(("Christ", "Cristo"),))],
    )
    earlier = frozenset(words_of("The grace of Christ is only once; and we call it mercy."))
    terms = figures(record, earlier)["terms"]
    assert [each["word"] for each in terms["new_words"]] == ["propitiation"]
    assert terms["new_words"][0]["count"] == 2
    assert "Christ" in terms["new_words"][0]["example"]
    assert [(term["source"], term["is_new"]) for term in terms["glossary"]] == [("Christ", False)]
    without = figures(record, frozenset({"grace"}))["terms"]["glossary"]
    assert without[0]["is_new"]


def test_in_a_first_session_only_names_are_new() -> None:
    record = session(
        finals=[final(number, "Today we read of Habakkuk and mountains.") for number in (1, 2)]
    )
    words = [each["word"] for each in figures(record, None)["terms"]["new_words"]]
    assert words == ["habakkuk"]


def test_words_with_a_capital_at_the_beginning_of_a_sentence_are_no_names() -> None:
    assert capitalised_within('Then Moses went. He said: "Go!" And Aaron’s rod ...') == {
        "moses",
        "aaron’s",
    }
    assert words_of("In 1 John 3:16, God’s love") == ["in", "john", "god’s", "love"]


def test_mended_words_and_homophones_are_counted_without_their_case() -> None:
    record = session(
        finals=[
            final(1, "a", corrections=(Mended("Profit", "prophet"),)),
            final(2, "b", corrections=(Mended("profit", "prophet"),)),
            final(3, "c", homophones=(Mended("altar", "alter"),)),
        ]
    )
    terms = figures(record, None)["terms"]
    assert terms["mended"] == [{"heard": "profit", "intended": "prophet", "count": 2}]
    assert terms["homophones"] == [{"heard": "altar", "intended": "alter", "count": 1}]


def reviewed(segment_id: int, decision: Decision, revision: int, target: str) -> ReviewedPair:
    machine = scored(segment_id, Band.REVIEW, 0.6)
    return ReviewedPair(
        machine,
        90 + revision,
        at(0),
        decision,
        machine.pair.source_text,
        target,
        "ana",
        "r",
        revision,
    )


def test_the_newest_decision_on_a_pair_counts_and_a_withdrawn_one_does_not() -> None:
    record = session(
        reviews=[
            reviewed(1, Decision.FIXED, 1, "mejor"),
            reviewed(2, Decision.ACCEPTED, 1, "bien"),
            reviewed(2, Decision.WITHDRAWN, 2, "bien"),
        ],
        corrected_texts=1,
    )
    review = figures(record, None)["review"]
    assert review["decisions"] == {"fixed": 1}
    assert [change["target_after"] for change in review["changes"]] == ["mejor"]


def test_doubtful_segments_come_with_the_most_doubts_first() -> None:
    record = session(
        judged=[
            (at(0), scored(1, Band.MODERATE, 0.7, flags=("low_confidence",))),
            (at(0), scored(2, Band.ACCEPT, 0.9)),
            (at(0), scored(3, Band.REVIEW, 0.6, flags=("repetition", "missing_term"))),
        ]
    )
    assert [each["segment_id"] for each in figures(record, None)["flagged"]] == [3, 1]


class Elements(HTMLParser):
    """The elements of a page, and every value of an attribute."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


HOSTILE = '</style></svg><script>alert(1)</script><img src=x onerror="alert(1)">'


def full_record(text: str) -> SessionRecord:
    return session(
        title=text,
        finals=[
            final(number, f"{text} Words words", homophones=(Mended(text, text),))
            for number in (1, 2)
        ],
        translations=[
            translated(1, text, required_terms=((text, text),), missing_terms=((text, text),))
        ],
        judged=[
            (
                at(9000),
                scored(1, Band.REVIEW, 0.6, source_text=text, target_text=text, flags=(text,)),
            )
        ],
        reviews=[reviewed(1, Decision.FIXED, 1, text)],
        gaps=[Gap(0, 1000, text)],
        suppressed=[text],
        failed=[text],
        target_languages=("es",),
    )


def test_a_page_shows_hostile_texts_as_texts() -> None:
    found = figures(full_record(HOSTILE), frozenset())
    assert "lag" in plots(found)
    elements = Elements(page(found, plots(found)))
    harmless = Elements(page(*(lambda f: (f, plots(f)))(figures(full_record("text"), frozenset()))))
    assert "script" not in elements.tags
    assert "img" not in elements.tags
    assert sorted(elements.tags) == sorted(harmless.tags)
    assert not [name for name, _ in elements.attributes if name.startswith("on")]


def test_a_page_asks_for_nothing() -> None:
    found = figures(full_record("text"), frozenset())
    elements = Elements(page(found, plots(found)))
    asked = [
        value
        for name, value in elements.attributes
        if name in ("src", "href", "xlink:href", "action") and not (value or "").startswith("#")
    ]
    assert asked == []


def test_a_page_counts_and_tells_as_people_do() -> None:
    record = session(
        title="",
        finals=[final(1, "one two three")],
        reviews=[
            reviewed(1, Decision.FIXED, 1, "a"),
            reviewed(2, Decision.ACCEPTED, 1, "b"),
            reviewed(3, Decision.ACCEPTED, 1, "c"),
        ],
    )
    shown = page(figures(record, None), {})
    assert ">Session of 2026-11-22 10:00 UTC</h1>" in shown
    assert " 1 sentence, 3 words;" in shown
    assert "2 accepted, 1 fixed." in shown


@pytest.mark.parametrize(("said_ms", "unit"), [(90_000, "second"), (600_000, "minute")])
def test_a_short_session_is_drawn_in_seconds(said_ms: int, unit: str) -> None:
    judged = [(at(0), scored(1, Band.ACCEPT, 0.9, start_offset_ms=said_ms))]
    assert f"{unit} of the session" in plots(figures(session(judged=judged), None))["timeline"]


def test_a_session_in_which_nothing_was_said_has_a_report_too() -> None:
    found = figures(session(), None)
    assert plots(found) == {}
    assert "No pair has a score." in page(found, {})
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("name", ["bands", "scores", "timeline", "lag", "reading"])
def test_the_same_session_gives_the_same_picture(name: str) -> None:
    found = figures(full_record("text"), frozenset())
    assert plots(found)[name] == plots(found)[name]
