"""Which earlier finals a translation is given."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.gateway.context import ContextPair, FinalContext, final_context

Event = gateway_pb2.JournalEvent


def spoken(number: int, *, at_s: float | None = None, flags: Iterable[str] = ()) -> Event:
    """Final `number`, two seconds long; one every three seconds unless said otherwise."""
    start_ms = int((3 * number if at_s is None else at_s) * 1000)
    return Event(
        transcript=types_pb2.Transcript(
            segment_id=number,
            language="en",
            is_final=True,
            stable_text=f"en{number}",
            start_offset_ms=start_ms,
            end_offset_ms=start_ms + 2_000,
            flags=flags,
        )
    )


def translated(
    number: int, *, language: str = "es", model: str = "big", flags: Iterable[str] = ()
) -> Event:
    return Event(
        translation=types_pb2.Translation(
            segment_id=number,
            language=language,
            is_final=True,
            text=f"{language}{number}",
            model=model,
            flags=flags,
        )
    )


def corrected(number: int, language: str, text: str) -> Event:
    return Event(correction=gateway_pb2.Correction(segment_id=number, language=language, text=text))


def context(*events: Event, segment_id: int, pairs: int = 2, characters: int = 600) -> FinalContext:
    return final_context(events, segment_id, "es", pair_limit=pairs, character_limit=characters)


def sources(found: FinalContext) -> list[str]:
    return [pair.source for pair in found.pairs]


FOUR = [event for n in (1, 2, 3) for event in (spoken(n), translated(n))] + [spoken(4)]


def test_the_last_pairs_come_oldest_first() -> None:
    found = context(*FOUR, segment_id=4)
    assert found.pairs == (ContextPair("en2", "es2"), ContextPair("en3", "es3"))
    assert found.transcript.stable_text == "en4"


def test_no_pairs_are_given_when_none_are_wanted() -> None:
    found = context(*FOUR, segment_id=4, pairs=0)
    assert (found.pairs, found.recent_model) == ((), "big")


def test_the_oldest_pair_goes_when_there_are_too_many_characters() -> None:
    assert sources(context(*FOUR, segment_id=4, characters=11)) == ["en3"]
    assert sources(context(*FOUR, segment_id=4, characters=12)) == ["en2", "en3"]


def test_a_final_that_waits_for_its_translation_is_passed_over() -> None:
    events = [event for event in FOUR if event.translation.segment_id != 3]
    assert sources(context(*events, segment_id=4)) == ["en1", "en2"]


def test_later_finals_are_no_context() -> None:
    assert sources(context(*FOUR, segment_id=2)) == ["en1"]


def test_translations_into_other_languages_are_no_context() -> None:
    events = (spoken(1), translated(1, language="fr", model="other"), spoken(2))
    found = context(*events, segment_id=2)
    assert (found.pairs, found.recent_model) == ((), "")


def test_nothing_from_before_a_long_pause_is_context() -> None:
    events = [spoken(1), translated(1), spoken(2, at_s=60), translated(2), spoken(3, at_s=63)]
    assert sources(context(*events, segment_id=3)) == ["en2"]
    assert sources(context(*events[:3], segment_id=2)) == []


def test_speech_without_a_translation_is_no_pause() -> None:
    events = [spoken(1), translated(1), spoken(2, at_s=15), spoken(3, at_s=30)]
    assert sources(context(*events, segment_id=3)) == ["en1"]


@pytest.mark.parametrize("flag", ["runaway", "copied", "shed"])
def test_doubtful_translations_are_no_context_and_name_no_model(flag: str) -> None:
    events = (spoken(1), translated(1, flags=[flag]), spoken(2))
    found = context(*events, segment_id=2)
    assert (found.pairs, found.recent_model) == ((), "")


def test_doubtful_transcripts_are_no_context() -> None:
    events = (spoken(1, flags=["low_confidence"]), translated(1), spoken(2))
    assert context(*events, segment_id=2).pairs == ()


def test_a_persons_text_wins_over_the_machines() -> None:
    events = (
        spoken(1, flags=["low_confidence"]),
        translated(1, flags=["copied"]),
        corrected(1, "en", "heard right"),
        corrected(1, "es", "dicho mal"),
        corrected(1, "es", "dicho bien"),
        spoken(2),
    )
    assert context(*events, segment_id=2).pairs == (ContextPair("heard right", "dicho bien"),)
