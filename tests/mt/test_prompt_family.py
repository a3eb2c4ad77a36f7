"""A model's prompt family goes by its tokens and by what its template writes."""

from __future__ import annotations

import re

import pytest

from services.errors import InvalidInput
from services.mt import prompt
from services.mt.prompt_family import MARKERS, checked_family

GEMMA_3 = "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + role }}{% endfor %}"
TRANSLATEGEMMA = GEMMA_3 + "{{ content['source_lang_code'] }}"
GEMMA_4 = (
    "{{ '<|turn>' + role }}{{ message['content'] }}{{ '<turn|>' }}{% if messages %}{% endif %}"
)
GEMMA_4_LARGE = GEMMA_4 + r"{{- '<|channel>thought\n<channel|>' -}}"
CHATML = "{% for message in messages %}{{ '<|im_start|>' + message['role'] }}{% endfor %}"
QWEN_3 = CHATML + (
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    r"{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
)
LLAMA_3 = "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"


@pytest.mark.parametrize(
    ("template", "name", "family"),
    [
        (TRANSLATEGEMMA, "anything.gguf", "translategemma"),
        (GEMMA_3, "translategemma-4b_Q4_K_M.gguf", "translategemma"),
        (GEMMA_3, "Translate Gemma 12B it", "translategemma"),
        (None, "google/translategemma-4b-it", "translategemma"),
        (GEMMA_3, "gemma-3-4b-it.gguf", "gemma3"),
        (GEMMA_4, "gemma-4-E4B-it.gguf", "gemma4"),
        (GEMMA_4_LARGE, "gemma-4-31B-it.gguf", "gemma4-large"),
        (CHATML, "qwen2.5.gguf", "chatml"),
        (QWEN_3, "qwen3.gguf", "chatml-quiet"),
        (LLAMA_3, "llama-3.1-8b-instruct.gguf", "llama3"),
    ],
)
def test_the_family_goes_by_the_template_that_the_model_carries(
    template: str | None, name: str, family: str
) -> None:
    assert checked_family("auto", template, name, MARKERS) == family
    assert checked_family(family, template, name, MARKERS) == family


@pytest.mark.parametrize(
    ("template", "family"),
    [
        ("{{ '[INST] ' + messages[0] }}", "gemma3"),
        (CHATML + "{{ enable_thinking }}", "chatml-quiet"),
        (GEMMA_3 + CHATML, "chatml"),
    ],
)
def test_a_family_that_is_named_is_taken_where_the_template_alone_does_not_tell(
    template: str, family: str
) -> None:
    with pytest.raises(InvalidInput):
        checked_family("auto", template, "model.gguf", MARKERS)
    assert checked_family(family, template, "model.gguf", MARKERS) == family


def test_every_family_is_refused_where_the_vocabulary_lacks_one_of_its_tokens() -> None:
    """A template says what it likes; the tokenizer would read such a marker as ordinary text."""
    for family in prompt.FAMILIES:
        assert checked_family(family, None, "model", MARKERS) == family
        needed = [
            marker
            for marker in MARKERS
            if family_with(MARKERS - {marker}, family) == f"its vocabulary has no {marker}"
        ]
        assert len(needed) >= 2, family
        assert family_with(set(needed), family) == family


def family_with(tokens: frozenset[str] | set[str], family: str) -> str:
    """The family chosen, or the end of the refusal's first part."""
    try:
        return checked_family(family, None, "model", tokens)
    except InvalidInput as refused:
        return refused.message.partition(";")[0].rpartition(": ")[2]


@pytest.mark.parametrize(
    ("wanted", "template", "name", "found"),
    [
        ("auto", None, "gemma-4-E4B-it.gguf", "carries no chat template"),
        ("auto", GEMMA_3 + GEMMA_4, "both.gguf", "Gemma 3 and of Gemma 4"),
        ("auto", GEMMA_4 + "source_lang_code", "translategemma-2.gguf", "<|turn>"),
        ("auto", "{{ prompt }}", "odd.gguf", "opens its turns with none of"),
        ("auto", "{{ '[INST] ' + messages[0] }}", "mistral.gguf", "opens its turns with none of"),
        ("auto", CHATML + "{{ enable_thinking }}", "thinks.gguf", "thinks aloud"),
        ("translategemma", GEMMA_4, "gemma-4.gguf", "is of Gemma 4"),
        ("gemma4", GEMMA_3, "gemma-3.gguf", "is of Gemma 3"),
        ("gemma3", CHATML, "qwen.gguf", "is of ChatML"),
        ("llama3", CHATML, "qwen.gguf", "is of ChatML"),
        ("gemma5", GEMMA_3, "gemma-3.gguf", "no prompt family 'gemma5'"),
        ("instruct", CHATML, "qwen.gguf", "no prompt family 'instruct'"),
    ],
)
def test_a_template_that_does_not_fit_is_an_error_that_names_what_was_found(
    wanted: str, template: str | None, name: str, found: str
) -> None:
    with pytest.raises(InvalidInput, match=re.escape(found)) as caught:
        checked_family(wanted, template, name, MARKERS)
    assert caught.value.reason == "UNKNOWN_PROMPT_FAMILY"
