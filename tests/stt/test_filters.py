"""Why a final is not shown, and what makes one doubtful."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stt.engine import Capabilities
from services.stt.filters import (
    FinalFigures,
    Limits,
    Verdict,
    combined_no_speech_prob,
    compression_ratio,
    judge,
)

GOOD = FinalFigures("And God said let there be light", -0.2, 0.1, 0.9, duration_s=2.5)
# Confidence below the flag limit and above the reject limit.
WEAK = replace(GOOD, avg_logprob=-0.7)


def reason(figures: FinalFigures, previous_text: str = "") -> str | None:
    return judge(figures, Limits(), previous_text).reason


def said(text: str, figures: FinalFigures = GOOD) -> FinalFigures:
    return replace(figures, text=text, compression_ratio=compression_ratio(text))


def test_a_good_final_is_shown_without_flags() -> None:
    assert judge(GOOD, Limits()) == Verdict(None, ())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"text": " "}, "no_words"),
        ({"text": "... ♪ -"}, "no_words"),
        ({"text": "[Music] (applause) *sighs*"}, "no_words"),
        ({"text": "♪ Amazing grace ♪"}, "music"),
        ({"no_speech_prob": 0.61}, "no_speech"),
        ({"no_speech_prob": 0.6}, None),
        ({"compression_ratio": 2.41}, "repetition"),
        ({"compression_ratio": 2.4}, None),
        ({"avg_logprob": -1.1}, "low_confidence"),
        ({"avg_logprob": -1.0}, None),
        ({"avg_logprob": None}, None),
    ],
)
def test_each_limit_has_its_reason(changes: dict[str, object], expected: str | None) -> None:
    assert reason(replace(GOOD, **changes)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"avg_logprob": -0.51}, ("low_confidence",)),
        ({"avg_logprob": -0.5}, ()),
        ({"avg_logprob": None}, ()),
        ({"no_speech_prob": 0.31}, ("no_speech",)),
        ({"no_speech_prob": 0.3}, ()),
        ({"compression_ratio": 2.01}, ("repetition",)),
        ({"compression_ratio": 2.0}, ()),
        ({"avg_logprob": -0.6, "no_speech_prob": 0.4}, ("low_confidence", "no_speech")),
    ],
)
def test_a_doubtful_final_is_shown_with_its_flags(
    changes: dict[str, object], flags: tuple[str, ...]
) -> None:
    assert judge(replace(GOOD, **changes), Limits()) == Verdict(None, flags)  # type: ignore[arg-type]


def test_an_engine_s_own_limits_count() -> None:
    limits = Limits.of(Capabilities(("en",), 0, True, 2, 400, -0.7, -0.9))
    assert judge(replace(GOOD, avg_logprob=-0.6), limits) == Verdict(None, ())
    assert judge(replace(GOOD, avg_logprob=-0.8), limits).flags == ("low_confidence",)
    assert judge(replace(GOOD, avg_logprob=-0.95), limits).reason == "low_confidence"


def test_an_engine_that_doubts_the_speech_has_to_doubt_its_words_too() -> None:
    doubted = replace(GOOD, no_speech_prob=0.9, engine_no_speech_prob=0.9)
    assert judge(doubted, Limits()) == Verdict(None, ("no_speech",))
    assert reason(replace(doubted, avg_logprob=-0.6)) == "no_speech"


def test_the_greater_doubt_about_speech_counts() -> None:
    assert combined_no_speech_prob(0.75, None) == 0.25
    assert combined_no_speech_prob(0.75, 0.5) == 0.5
    assert combined_no_speech_prob(0.25, 0.5) == 0.75
    assert combined_no_speech_prob(0.75, math.nan) == 1.0


def test_nan_vouches_for_nothing() -> None:
    assert reason(replace(GOOD, avg_logprob=math.nan)) == "low_confidence"
    assert reason(replace(GOOD, no_speech_prob=math.nan)) == "no_speech"
    assert reason(replace(GOOD, compression_ratio=math.nan)) == "repetition"
    assert reason(said("Thank you.", replace(GOOD, duration_s=math.nan))) == "phantom"


@pytest.mark.parametrize(
    "text",
    [
        "Thank you.",
        "you",
        "Thank you. Thank you.",
        "Thanks for watching!",
        "Subtitles by the Amara.org community",
        "Subtítulos realizados por la comunidad de Amara.org",
        "Gracias.",
        "[Music] Thank you.",
        "Don’t forget to subscribe!",
    ],
)
def test_a_known_phantom_is_held_back_only_under_weak_evidence(text: str) -> None:
    assert reason(said(text)) is None
    assert reason(said(text, WEAK)) == "phantom"
    assert reason(said(text, replace(GOOD, no_speech_prob=0.5))) == "phantom"
    assert reason(said(text, replace(GOOD, duration_s=0.2))) == "phantom"


@pytest.mark.parametrize(
    "text", ["Amen.", "Thank you, Lord, for this day.", "Thank you. Turn to Romans 8."]
)
def test_what_nobody_invents_is_shown_though_doubtful(text: str) -> None:
    assert reason(said(text, WEAK)) is None


def test_more_words_than_anyone_can_say_in_the_time_are_weak_evidence() -> None:
    assert reason(said("Thanks for watching!", replace(GOOD, duration_s=0.9))) is None
    assert reason(said("Thanks for watching!", replace(GOOD, duration_s=0.5))) == "phantom"


@pytest.mark.parametrize(
    "text",
    [
        "Holy, holy, holy, Lord God Almighty",
        "Amen, amen, amen.",
        "Glory to God, glory to God, glory to God.",
        "Crucify him! Crucify him!",
        "Verily, verily, I say unto you",
        "for his mercy endures forever, and he slew famous kings, for his mercy endures forever",
    ],
)
def test_what_is_said_over_again_is_shown(text: str) -> None:
    assert reason(said(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "no no no no no no no no",
        "I'm sorry, I'm sorry, I'm sorry, I'm sorry, I'm sorry, I'm sorry.",
        "and so of the people of the people of the people of the people of the people",
    ],
)
def test_a_loop_is_found_by_its_words_whatever_the_compression(text: str) -> None:
    verdict = judge(replace(GOOD, text=text), Limits())
    assert verdict == Verdict("repetition", ("repetition",))


def test_fewer_rounds_are_a_loop_when_the_evidence_is_weak() -> None:
    assert judge(said("yes yes yes yes yes"), Limits()) == Verdict(None, ("repetition",))
    assert reason(said("yes yes yes yes yes", WEAK)) == "repetition"


def test_a_loop_that_ends_a_long_sentence_is_flagged_and_shown() -> None:
    text = (
        "He went up into the mountain early in the morning to pray and there he said "
        "no no no no no to the tempter"
    )
    assert judge(said(text), Limits()) == Verdict(None, ("repetition",))


def test_a_segment_that_repeats_the_one_before_is_held_back_only_under_weak_evidence() -> None:
    before = "We read. And God said, let there be light."
    assert reason(GOOD, before) is None
    assert reason(WEAK, before) == "repeated_segment"
    assert reason(WEAK, "And God saw the light") is None
    assert reason(WEAK) is None


def test_a_loop_compresses_beyond_the_limit() -> None:
    assert compression_ratio("thank you " * 30) > 2.4
    assert compression_ratio("In the beginning God created the heaven and the earth") < 2.4
    assert compression_ratio("") == 0.0


_FIGURES = st.floats(allow_nan=True, allow_infinity=True)


@given(st.text(max_size=60), st.none() | _FIGURES, _FIGURES, _FIGURES, _FIGURES, st.text())
def test_any_text_and_any_figures_are_judged(
    text: str,
    avg_logprob: float | None,
    no_speech_prob: float,
    compression: float,
    duration_s: float,
    previous_text: str,
) -> None:
    figures = FinalFigures(text, avg_logprob, no_speech_prob, compression, duration_s)
    verdict = judge(figures, Limits(), previous_text)
    assert text.strip() or verdict.reason == "no_words"
