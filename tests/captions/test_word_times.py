"""The times of a text's words, by what was heard."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from services.captions.transcripts.transcript import Word
from services.captions.transcripts.word_times import timed_words

HEARD = (
    Word("Grace", 1000, 1400, 0.9),
    Word("to", 1500, 1600, 0.8),
    Word("you", 1700, 2000, 0.7),
)


def times(text: str, heard: tuple[Word, ...] = HEARD) -> list[tuple[str, int, int]]:
    return [(w.text, w.start_offset_ms, w.end_offset_ms) for w in timed_words(text, heard, 2500)]


def test_a_text_as_it_was_heard_has_the_times_that_were_heard() -> None:
    assert timed_words("Grace to you", HEARD, 2500) == HEARD
    wide = (Word("神爱", 0, 500), Word("世人", 600, 900))
    assert timed_words("神爱世人", wide, 900) == wide


def test_case_and_signs_change_no_time() -> None:
    assert times("grace, to YOU!") == [
        ("grace,", 1000, 1400),
        ("to", 1500, 1600),
        ("YOU!", 1700, 2000),
    ]


def test_words_in_place_of_others_share_their_time() -> None:
    assert times("Grace be unto you") == [
        ("Grace", 1000, 1400),
        ("be", 1500, 1533),
        ("unto", 1533, 1600),
        ("you", 1700, 2000),
    ]


def test_words_that_nobody_heard_lie_between_their_neighbours() -> None:
    assert times("Oh grace and to you all") == [
        ("Oh", 1000, 1000),
        ("grace", 1000, 1400),
        ("and", 1400, 1500),
        ("to", 1500, 1600),
        ("you", 1700, 2000),
        ("all", 2000, 2500),
    ]


def test_without_anything_heard_nothing_is_known() -> None:
    assert timed_words("Grace to you", (), 2500) == ()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "c", "peace,", "--", "神"]), max_size=30),
    st.lists(st.sampled_from(["a", "b", "c", "Peace", "d", "神"]), min_size=1, max_size=30),
)
def test_no_word_is_lost_and_time_never_goes_back(said: list[str], heard: list[str]) -> None:
    words = tuple(Word(each, 100 * n, 100 * n + 90) for n, each in enumerate(heard))
    timed = timed_words("  ".join(said), words, 100 * len(heard))
    assert "".join(each.text for each in timed) == "".join(said)
    bounds = [ms for each in timed for ms in (each.start_offset_ms, each.end_offset_ms)]
    assert bounds == sorted(bounds)
