"""What becomes of a prompt that does not fit into the model's context."""

from __future__ import annotations

import pytest

from services.errors import InvalidInput
from services.languages import max_new_tokens
from services.mt import prompt
from services.mt.engine import Earlier, Job, LanguagePair, RequiredTerm
from services.mt.engines.answer import fitted
from services.mt.prompt import Prompt

JOB = Job(
    "the text to translate",
    LanguagePair("en", "es"),
    context=(Earlier("a sentence before", "una frase antes"),),
    terms=(RequiredTerm("text", "texto"),),
)


def build(job: Job) -> Prompt:
    return prompt.build("translategemma", job)


def tokenize(text: str) -> list[int]:
    return list(range(len(text.split())))


def fit(context_tokens: int, source_tokens: int = 4) -> str:
    made, ids, limit = fitted(JOB, source_tokens, context_tokens, build, tokenize)
    assert len(ids) + limit <= context_tokens
    return made.text


def test_a_prompt_that_fits_holds_everything() -> None:
    assert fit(2048) == build(JOB).text


def test_context_goes_first_and_then_terms_so_that_the_text_stays() -> None:
    whole = len(tokenize(build(JOB).text)) + max_new_tokens(4)
    assert fit(whole) == build(JOB).text
    without_context = fit(whole - 1)
    assert "una frase antes" not in without_context
    assert "texto" in without_context
    bare = len(tokenize(without_context)) + max_new_tokens(4) - 1
    assert "texto" not in fit(bare)
    assert JOB.text in fit(bare)


def test_an_answer_may_get_less_room_than_its_language_could_need() -> None:
    bare = len(tokenize(build(Job(JOB.text, JOB.pair)).text))
    assert JOB.text in fit(bare + 36)
    with pytest.raises(InvalidInput, match="GLOSSA_MT_CONTEXT_TOKENS") as caught:
        fit(bare + 35)
    assert caught.value.reason == "TEXT_TOO_LONG"


def test_a_source_over_the_cap_is_refused_whatever_the_context() -> None:
    with pytest.raises(InvalidInput, match="split it") as caught:
        fit(100_000, prompt.MAX_SOURCE_TOKENS + 1)
    assert caught.value.reason == "TEXT_TOO_LONG"
