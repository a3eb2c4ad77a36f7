"""Why a final is not shown."""

from __future__ import annotations

import pytest

from services.stt.filters import FinalFigures, compression_ratio, suppression_reason

GOOD = FinalFigures("And God said let there be light", -0.2, 0.1, 0.9)


def reason(**changes: object) -> str | None:
    return suppression_reason(FinalFigures(**{**GOOD.__dict__, **changes}), min_avg_logprob=-1.0)


def test_a_good_final_is_shown() -> None:
    assert reason() is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"text": " "}, "no_words"),
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
    assert reason(**changes) == expected


def test_a_loop_compresses_beyond_the_limit() -> None:
    assert compression_ratio("thank you " * 30) > 2.4
    assert compression_ratio("In the beginning God created the heaven and the earth") < 2.4
    assert compression_ratio("") == 0.0
