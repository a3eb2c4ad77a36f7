"""What people put right becomes rows that stt can read."""

from __future__ import annotations

import csv
from pathlib import Path

from cli.review_suggestions import COLUMNS as WRITTEN_COLUMNS
from cli.review_suggestions import as_tsv
from services.collector.suggestions import ReviewedTranscript, Suggestion, suggest
from services.stt.corrections import COLUMNS, Corrections


def reviewed(*texts: tuple[str, str]) -> list[ReviewedTranscript]:
    return [
        ReviewedTranscript(f"session-a/{number}/es", heard, intended)
        for number, (heard, intended) in enumerate(texts, start=1)
    ]


PHILIPPIANS = (
    ("Turn to the Filipinos now", "Turn to the Philippians now"),
    ("We read the Filipinos, chapter four.", "We read the Philippians, chapter four."),
    ("So the filipinos knew it", "So the Philippians knew it"),
)


def only(suggestions: list[Suggestion]) -> Suggestion:
    assert len(suggestions) == 1, suggestions
    return suggestions[0]


def test_words_that_were_put_right_several_times_are_suggested() -> None:
    row = only(suggest(reviewed(*PHILIPPIANS), []))
    assert row.row() == ("filipinos", "Philippians", "name", "no", "")
    assert row.count == 3
    assert row.pair_ids == ("session-a/1/es", "session-a/2/es", "session-a/3/es")


def test_what_was_put_right_less_often_than_asked_for_is_not() -> None:
    assert suggest(reviewed(*PHILIPPIANS), [], min_count=4) == []
    assert suggest(reviewed(PHILIPPIANS[0]), []) == []
    assert only(suggest(reviewed(PHILIPPIANS[0]), [], min_count=1)).count == 1


def test_the_same_sentence_counts_once() -> None:
    twice = ReviewedTranscript("session-a/1/es", "a stair and a stair", "a star and a star")
    assert suggest([twice], []) == []


def test_case_and_punctuation_are_no_mishearing() -> None:
    assert suggest(reviewed(("the lord, is here", "The Lord is here!")), [], min_count=1) == []


def test_words_left_out_or_added_are_no_mishearing() -> None:
    changes = reviewed(("we went went home", "we went home"), ("we home", "we went home"))
    assert suggest(changes, [], min_count=1) == []


def test_a_sentence_said_anew_is_no_mishearing() -> None:
    anew = ("one two three four five six", "completely other words stand in here")
    assert suggest(reviewed(anew), [], min_count=1) == []


def test_several_words_are_suggested_as_one_phrase() -> None:
    row = only(suggest(reviewed(("he read fill lemon today", "he read Philemon today")), [], 1))
    assert (row.heard, row.intended) == ("fill lemon", "Philemon")


def test_words_that_are_right_elsewhere_need_a_context() -> None:
    romance = (
        ("open the book of romance please", "open the book of Romans please"),
        ("in the book of romance it says", "in the book of Romans it says"),
    )
    good = ["it was a great romance", "no romance is like it"]
    assert not only(suggest(reviewed(*romance), good[:1])).context_needed
    row = only(suggest(reviewed(*romance), good))
    assert row.row() == ("romance", "Romans", "name", "yes", "of _ | unsure")


def test_words_that_were_meant_in_two_ways_get_the_more_frequent_one_and_a_context() -> None:
    both = reviewed(
        ("a stair shone bright", "a star shone bright"),
        ("the stair of david", "the star of david"),
        ("with a cold stair", "with a cold stare"),
    )
    row = only(suggest(both, []))
    assert (row.intended, row.count, row.context_needed) == ("star", 2, True)


def test_the_file_is_what_stt_reads_and_mends_by(tmp_path: Path) -> None:
    assert WRITTEN_COLUMNS == COLUMNS
    found = suggest(
        reviewed(
            *PHILIPPIANS,
            ("open the book of romance please", "open the book of Romans please"),
            ("in the book of romance it says", "in the book of Romans it says"),
            ('the a"b men came', "the amen came"),
            ('my a"b men went', "my amen went"),
        ),
        ["a romance", "another romance"],
    )
    path = tmp_path / "corrections_en.tsv"
    path.write_text(as_tsv(found), encoding="utf-8")
    rows = list(csv.reader(path.open(encoding="utf-8"), delimiter="\t"))
    assert len(Corrections.read(path)) == len(found) == len(rows) - 1 == 3


def test_nothing_is_suggested_of_nothing() -> None:
    assert suggest([], []) == []
