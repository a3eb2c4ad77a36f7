"""What of a draft is shown."""

from __future__ import annotations

import pytest

from services.mt.masking import settled_part


@pytest.mark.parametrize(
    ("draft", "source", "shown_before", "shown"),
    [
        ("Jesús habla a la gente", "Jesus speaks to the", (), "Jesús habla a"),
        ("Jesús habla a la gente.", "Jesus speaks to the people.", (), "Jesús habla a la gente."),
        ("Jesús habla a la", "Jesus speaks to the", ("Jesús habla a",), "Jesús habla a"),
        ("Jesús habla", "Jesus speaks", ("Jesús habla",), "Jesús habla"),
        ("Jesús lloró", "Jesus wept", ("Jesús habla",), "Jesús"),
        ("Jesús lloró", "Jesus wept", ("", "Jesús lloró"), "Jesús lloró"),
        ("Jesús", "Jesus", (), ""),
        ("", "Jesus", ("Jesús",), ""),
    ],
)
def test_the_last_words_are_held_back_unless_they_were_shown_or_the_sentence_is_over(
    draft: str, source: str, shown_before: tuple[str, ...], shown: str
) -> None:
    assert settled_part(draft, source, shown_before, 2) == shown


def test_nothing_is_held_back_when_no_words_are_to_be() -> None:
    assert settled_part("Jesús", "Jesus", (), 0) == "Jesús"
