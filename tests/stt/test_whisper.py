"""What the Whisper runtimes share; the runtimes themselves are under contract tests."""

from __future__ import annotations

import math

import numpy as np
import pytest

from services.audio import SAMPLE_RATE_HERTZ
from services.errors import InvalidInput
from services.stt.engine import Decoding
from services.stt.engines.whisper import (
    CONTEXT_TOKENS,
    PROMPT_TOKENS,
    TimedWord,
    capabilities,
    hypothesis_of,
    new_tokens_limit,
    prompt_tokens,
    window_of,
)

ONE_SECOND = np.zeros(SAMPLE_RATE_HERTZ, np.float32)


def letters(text: str) -> list[int]:
    """A token a letter."""
    return [ord(letter) for letter in text]


def prompted(*phrases: str, previous_text: str = "") -> str:
    tokens = prompt_tokens(Decoding("en", phrases, previous_text), letters)
    assert len(tokens) <= PROMPT_TOKENS
    return "".join(chr(token) for token in tokens)


def test_nothing_to_expect_is_no_prompt() -> None:
    assert prompted() == ""
    assert prompted("", " ") == ""


def test_phrases_stand_before_what_was_said() -> None:
    assert prompted("Philippi", "grace", previous_text="Let us pray.") == (
        " Philippi, grace, Let us pray."
    )


def test_the_newest_text_is_kept() -> None:
    said = "x" * 1000 + " and then he rose"
    assert prompted(previous_text=said) == said[-PROMPT_TOKENS:]


def test_a_long_glossary_leaves_half_to_what_was_said() -> None:
    prompt = prompted(*["shepherd"] * 1000, previous_text="y" * 1000)
    assert prompt.count("y") >= PROMPT_TOKENS // 2
    assert prompt.count("shepherd,") >= 10
    assert "shepherdy" not in prompt  # whole phrases only


@pytest.mark.parametrize("previous_text", ["", "Amen."])
def test_a_long_glossary_takes_no_more_than_half_however_little_was_said(
    previous_text: str,
) -> None:
    prompt = prompted(*["shepherd"] * 1000, previous_text=previous_text)
    assert prompt.count("shepherd,") == PROMPT_TOKENS // 2 // len(" shepherd,")
    assert prompt.endswith(previous_text)


def test_control_tokens_and_half_characters_never_reach_a_prompt() -> None:
    prompt = prompted("<|endoftext|>", previous_text="one\n<|nospeech|>\ud800 two")
    assert "<|" not in prompt
    assert "|>" not in prompt
    assert "\n" not in prompt
    prompt.encode()


def test_a_loop_ends_soon_after_what_can_have_been_said() -> None:
    assert new_tokens_limit(ONE_SECOND, []) < 40
    thirty_seconds = np.tile(ONE_SECOND, 30)
    assert new_tokens_limit(thirty_seconds, []) == CONTEXT_TOKENS // 2
    longest_prompt = [0] * PROMPT_TOKENS
    start_tokens = 1 + len(longest_prompt) + 4
    assert start_tokens + new_tokens_limit(thirty_seconds, longest_prompt) <= CONTEXT_TOKENS


def test_words_are_trimmed_and_empty_ones_dropped() -> None:
    words = [TimedWord(text, 0, 0.1, 1) for text in (" Let", " us\ufffd", "  ", "\ufffd", " pray.")]
    assert hypothesis_of(words, -0.1, 0.0, ONE_SECOND).text == "Let us pray."


def test_times_lie_within_the_clip_and_in_order() -> None:
    words = [
        TimedWord("a", np.float64(-0.2), np.float64(0.3), np.float64(0.9)),
        TimedWord("b", np.float64(0.2), np.float64(0.25), np.float64(0.9)),
        TimedWord("c", math.nan, math.inf, math.nan),
        TimedWord("d", np.float64(0.8), np.float64(7.0), np.float64(1.5)),
    ]
    hypothesis = hypothesis_of(words, np.float64(-0.2), np.float64(0.1), ONE_SECOND)
    times = [(word.start_ms, word.end_ms) for word in hypothesis.words]
    assert times == [(0, 300), (300, 300), (300, 300), (800, 1000)]
    assert [word.probability for word in hypothesis.words] == [0.9, 0.9, None, 1.0]
    figures = (hypothesis.avg_logprob, hypothesis.no_speech_prob, hypothesis.words[0].probability)
    assert [type(figure) for figure in figures] == [float] * 3


def test_a_model_that_broke_has_no_confidence() -> None:
    broken = hypothesis_of([TimedWord("a", 0, 1, 1)], math.nan, math.nan, ONE_SECOND)
    assert broken.avg_logprob is not None
    assert broken.avg_logprob < capabilities(["en"]).reject_avg_logprob
    assert broken.no_speech_prob is None


def test_no_words_have_no_confidence_of_their_own() -> None:
    assert hypothesis_of([], -0.3, 0.9, ONE_SECOND).avg_logprob is None


def test_more_than_a_window_is_refused() -> None:
    assert len(window_of(np.tile(ONE_SECOND, 30))) == 30 * SAMPLE_RATE_HERTZ
    with pytest.raises(InvalidInput, match=r"30\.1 s"):
        window_of(np.zeros(int(30.1 * SAMPLE_RATE_HERTZ), np.float32))
