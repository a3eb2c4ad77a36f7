"""A language model's answer as it is written: what is told, and when it is over."""

from __future__ import annotations

from services.mt.engine import Job, LanguagePair
from services.mt.engines.answer import Answer
from services.mt.prompt import Prompt


class Listener:
    """A task that keeps what it was told."""

    job = Job("Amen.", LanguagePair("en", "es"))

    def __init__(self) -> None:
        self.is_wanted = True
        self.told: list[tuple[str, int]] = []

    def tell(self, text: str, token_count: int) -> None:
        self.told.append((text, token_count))


def _answer(begins_answer: str = "", token_limit: int = 10) -> tuple[Answer, Listener]:
    listener = Listener()
    prompt = Prompt("...", ("<end_of_turn>", "<stop>"), begins_answer)
    return Answer(listener, prompt, token_limit), listener


def test_each_new_part_is_told_with_its_tokens() -> None:
    answer, listener = _answer()
    assert answer.write("Dios", 1)
    assert answer.write("Dios es", 3)
    assert listener.told == [("Dios", 1), ("Dios es", 2)]


def test_a_text_goes_on_from_what_is_shown() -> None:
    answer, listener = _answer("Dios es")
    answer.write(" amor", 1)
    assert listener.told == [("Dios es amor", 1)]
    assert answer.rendering().text == "Dios es amor"


def test_a_stop_string_ends_it_and_no_part_of_one_is_told() -> None:
    answer, listener = _answer()
    assert answer.write("Amén<end", 2)
    assert answer.write("Amén<end_of", 3)
    assert not answer.write("Amén.<end_of_turn>más", 4)
    assert [text for text, _ in listener.told] == ["Amén", "Amén."]
    assert not answer.rendering().hit_token_limit


def test_what_only_looked_like_a_stop_string_is_told_at_the_end() -> None:
    answer, _ = _answer()
    answer.write("uno <", 2)
    assert not answer.write("uno <", 2, is_ended=True)
    assert answer.rendering().text == "uno <"


def test_half_a_character_is_held_back() -> None:
    answer, listener = _answer()
    answer.write("Am", 1)
    answer.write("Am\ufffd", 2)
    answer.write("Amé", 3)
    assert listener.told == [("Am", 1), ("Amé", 2)]


def test_every_token_is_told_in_the_end() -> None:
    answer, listener = _answer()
    answer.write("Amén", 1)
    answer.write("Amén ", 2)
    answer.write("Amén ", 2, is_ended=True)
    assert sum(tokens for _, tokens in listener.told) == answer.rendering().token_count == 2


def test_it_is_cut_off_at_its_limit_and_says_so() -> None:
    answer, _ = _answer(token_limit=2)
    assert answer.write("la", 1)
    assert not answer.write("la la", 2)
    assert answer.rendering().hit_token_limit


def test_it_stops_when_it_is_no_longer_wanted() -> None:
    answer, listener = _answer()
    assert answer.goes_on
    listener.is_wanted = False
    assert not answer.write("Dios", 1)
    assert answer.rendering().text == "Dios"
    assert not answer.rendering().hit_token_limit
