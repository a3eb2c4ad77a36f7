"""What carries over from one segment to the next."""

from __future__ import annotations

from services.stt.context import MAX_CHARACTERS, SpokenContext


def said(*texts: str) -> SpokenContext:
    context = SpokenContext()
    for index, text in enumerate(texts):
        context.note_final(text, index * 1000, index * 1000 + 900, is_doubtful=False)
    return context


def test_nothing_was_said_at_first() -> None:
    assert SpokenContext().before(0) == ""


def test_finals_add_up_to_a_bounded_end_of_whole_words() -> None:
    assert said("in the", "beginning").before(2000) == "in the beginning"
    long = said(*(f"sentence number {n} of many" for n in range(40))).before(40_000)
    assert 0 < len(long) <= MAX_CHARACTERS
    assert long.endswith("sentence number 39 of many")
    assert f" {long.split()[0]} " in " sentence number of many " or long.split()[0].isdigit()


def test_a_pause_ends_it() -> None:
    context = said("in the beginning")
    assert context.before(2800) == "in the beginning"
    assert context.before(3000) == ""
    context.note_final("God made", 3000, 3500, is_doubtful=False)
    assert context.before(3600) == "God made"


def test_a_repeat_is_known_for_longer_than_a_prompt() -> None:
    context = said("in the beginning")
    assert context.last_final(9000) == "in the beginning"
    assert context.last_final(20_000) == ""


def test_a_gap_ends_it_for_what_comes_after_the_gap() -> None:
    context = said("in the beginning")
    context.note_gap(1200)
    assert context.before(1100) == "in the beginning"
    assert context.before(1300) == ""
    assert context.last_final(1300) == ""


def test_doubt_ends_it() -> None:
    context = said("in the beginning")
    context.note_final("murmur", 1000, 1500, is_doubtful=True)
    assert (context.before(1600), context.last_final(1600)) == ("", "murmur")
    context = said("in the beginning")
    context.note_suppressed()
    assert (context.before(1000), context.last_final(1000)) == ("", "in the beginning")
