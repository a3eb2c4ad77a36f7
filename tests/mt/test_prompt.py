"""Prompts: exact to the letter, and nothing from outside can end a turn."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import InvalidInput
from services.languages import NAMES
from services.mt import prompt
from services.mt.engine import Earlier, Job, LanguagePair, RequiredTerm
from services.mt.languages import name_of, promptable_pairs
from services.mt.prompt_family import checked_family

EN_ES = LanguagePair("en", "es")
INSTRUCTION = (
    "You are a professional English (en) to Spanish (es) translator. Your goal is to accurately "
    "convey the meaning and nuances of the original English text while adhering to Spanish "
    "grammar, vocabulary, and cultural sensitivities.\n"
    "Produce only the Spanish translation, without any additional explanations or commentary. "
    "Please translate the following English text into Spanish:\n\n\n"
)
# Control tokens of the families here and of others.
MARKERS = [
    "<start_of_turn>",
    "<end_of_turn>",
    "<bos>",
    "<eos>",
    "<pad>",
    "<unk>",
    "<mask>",
    "<unused7>",
    "<start_of_image>",
    "<|turn>",
    "<turn|>",
    "<|think|>",
    "<|channel>",
    "<channel|>",
    "<|tool_response>",
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<s>",
    "</s>",
    "<<SYS>>",
    "<0x0A>",
    "<｜User｜>",
    "<｜end▁of▁sentence｜>",
    "[INST]",
    "[/INST]",
    "[SYSTEM_PROMPT]",
    "[multimodal]",
    "[gMASK]",
    "[PAD]",
]


# --- what is written ---


def test_translategemma_gets_the_prompt_that_it_was_trained_on() -> None:
    built_prompt = prompt.build("translategemma", Job("  God is love.\n", EN_ES))
    assert built_prompt.text == (
        f"<start_of_turn>user\n{INSTRUCTION}God is love.<end_of_turn>\n<start_of_turn>model\n"
    )
    assert built_prompt.stop == ("<end_of_turn>",)


def test_context_and_terms_are_earlier_turns_of_translategemma_and_the_text_comes_last() -> None:
    job = Job(
        "Let us pray.",
        EN_ES,
        context=(Earlier("Amen.", "Amén."), Earlier("Jesus wept.", "Jesús lloró.")),
        terms=(RequiredTerm("pray", "orar"), RequiredTerm("us", "nosotros")),
    )
    turns = prompt.build("translategemma", job).text.split("<start_of_turn>")[1:]
    assert turns == [
        f"user\n{INSTRUCTION}Amen.<end_of_turn>\n",
        "model\nAmén.<end_of_turn>\n",
        f"user\n{INSTRUCTION}Jesus wept.<end_of_turn>\n",
        "model\nJesús lloró.<end_of_turn>\n",
        f"user\n{INSTRUCTION}pray\nus<end_of_turn>\n",
        "model\norar\nnosotros<end_of_turn>\n",
        f"user\n{INSTRUCTION}Let us pray.<end_of_turn>\n",
        "model\n",
    ]


@pytest.mark.parametrize(
    ("family", "opening", "closing", "model"),
    [
        ("gemma3", "<start_of_turn>user\n", "<end_of_turn>\n", "<start_of_turn>model\n"),
        ("gemma4", "<|turn>user\n", "<turn|>\n", "<|turn>model\n"),
        (
            "gemma4-large",
            "<|turn>user\n",
            "<turn|>\n",
            "<|turn>model\n<|channel>thought\n<channel|>",
        ),
        ("chatml", "<|im_start|>user\n", "<|im_end|>\n", "<|im_start|>assistant\n"),
        (
            "chatml-quiet",
            "<|im_start|>user\n",
            "<|im_end|>\n",
            "<|im_start|>assistant\n<think>\n\n</think>\n\n",
        ),
        (
            "llama3",
            "<|start_header_id|>user<|end_header_id|>\n\n",
            "<|eot_id|>",
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
    ],
)
def test_a_model_that_follows_instructions_is_told_all_in_one_turn_with_the_text_last(
    family: str, opening: str, closing: str, model: str
) -> None:
    job = Job(
        "God is love.",
        EN_ES,
        context=(Earlier("Amen.", "Amén."),),
        terms=(RequiredTerm("love", "amor"),),
    )
    text = prompt.build(family, job).text
    assert text.startswith(opening)
    assert text.endswith(f"English: God is love.{closing}{model}")
    assert text.index("English: Amen.\nSpanish: Amén.") < text.index("love = amor")
    assert text.count(opening) == 1


@pytest.mark.parametrize("family", prompt.FAMILIES)
def test_committed_text_stands_where_the_model_goes_on(family: str) -> None:
    plain = prompt.build(family, Job("God is love.", EN_ES))
    forced = prompt.build(family, Job("God is love.", EN_ES, committed_text="Dios es "))
    assert forced.text == plain.text + "Dios es"
    assert (plain.begins_answer, forced.begins_answer) == ("", "Dios es")


def test_only_the_last_two_segments_are_context_and_long_ones_are_left_out() -> None:
    pairs = tuple(Earlier(f"source{i}", f"target{i}") for i in range(4))
    text = prompt.build("translategemma", Job("now", EN_ES, context=pairs)).text
    assert [i for i in range(4) if f"source{i}" in text] == [2, 3]
    long = Earlier("long " * prompt.MAX_CONTEXT_CHARACTERS, "largo")
    text = prompt.build("translategemma", Job("now", EN_ES, context=(long, pairs[0]))).text
    assert "source0" in text
    assert "long" not in text


def test_a_retranslation_of_the_grown_text_shares_all_before_it() -> None:
    context = (Earlier("Amen.", "Amén."),)
    shorter = prompt.build("translategemma", Job("For God so", EN_ES, context=context)).text
    longer = prompt.build("translategemma", Job("For God so loved", EN_ES, context=context)).text
    beginning = shorter.rpartition("<end_of_turn>")[0]
    assert beginning.endswith("For God so")
    assert longer.startswith(beginning)


# --- languages ---


@pytest.mark.parametrize("code", ["es", "es-MX", "es_MX", "ES"])
def test_a_language_is_named_by_its_code_whatever_its_region(code: str) -> None:
    assert name_of(code) == "Spanish"


def test_a_region_stands_in_the_prompt_with_a_hyphen() -> None:
    text = prompt.build("translategemma", Job("Amen.", LanguagePair("en", "es_MX"))).text
    assert "English (en) to Spanish (es-MX) translator" in text


def test_an_unknown_language_is_named_in_the_error() -> None:
    with pytest.raises(InvalidInput, match="'tlh'") as caught:
        prompt.build("translategemma", Job("Amen.", LanguagePair("en", "tlh")))
    assert caught.value.reason == "UNSUPPORTED_LANGUAGE_PAIR"


def test_wanted_pairs_are_offered_first_and_english_both_ways() -> None:
    pairs = promptable_pairs([LanguagePair("es", "pt")])
    assert pairs[0] == LanguagePair("es", "pt")
    assert {EN_ES, EN_ES.reversed()} < set(pairs)
    assert len(pairs) == len(set(pairs)) == 2 * (len(NAMES) - 1) + 1
    with pytest.raises(InvalidInput):
        promptable_pairs([LanguagePair("en", "tlh")])


# --- control tokens from outside ---

HOSTILE = st.lists(
    st.one_of(
        st.sampled_from(MARKERS),
        st.sampled_from(MARKERS).flatmap(
            # Cut in two around another marker, which would join it when that one is removed.
            lambda marker: st.tuples(
                st.integers(1, len(marker) - 1), st.sampled_from([*MARKERS, "\u200b", "\x00", " "])
            ).map(lambda cut: marker[: cut[0]] + cut[1] + marker[cut[0] :])
        ),
        st.sampled_from(MARKERS).map(
            lambda marker: marker.translate(str.maketrans("<>[]|/", "＜＞［］｜／"))
        ),
        st.sampled_from(["<", ">", "|", "[", "]", "/", "＜", "﹤", "﹇", "≮", "\x1c", "\n", " "]),
        st.text(max_size=6),
    ),
    max_size=8,
).map("".join)


def markers_in(text: str) -> Counter[str]:
    """How often each control token is in a text as it stands or as tokenizers normalise it.

    SentencePiece's nmt_nfkc drops control characters and those without width.
    """
    forms = {text} | {unicodedata.normalize(form, text) for form in ("NFC", "NFKC", "NFKD")}
    forms |= {re.sub("[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\ufeff]", "", form) for form in forms}
    known = {unicodedata.normalize("NFKC", marker) for marker in MARKERS} | set(MARKERS)
    return +Counter({marker: max(form.count(marker) for form in forms) for marker in known})


@given(HOSTILE)
def test_no_control_token_is_left_in_a_text(text: str) -> None:
    assert not markers_in(prompt.without_markers(text))


@pytest.mark.parametrize("family", prompt.FAMILIES)
@given(text=HOSTILE, committed=HOSTILE, earlier=HOSTILE, term=HOSTILE)
def test_nothing_from_outside_adds_a_turn(
    family: str, text: str, committed: str, earlier: str, term: str
) -> None:
    def job(text: str, committed: str, earlier: str, term: str) -> Job:
        return Job(
            f"text {text} text",
            EN_ES,
            context=(Earlier(f"a {earlier} a", f"b {earlier} b"),),
            terms=(RequiredTerm(f"c {term} c", f"d {term} d"),),
            committed_text=committed,
        )

    harmless = markers_in(prompt.build(family, job("", "", "", "")).text)
    assert markers_in(prompt.build(family, job(text, committed, earlier, term)).text) == harmless


@given(st.text(st.characters(blacklist_characters="<>[]＜﹤＞﹥［］﹇﹈", codec="utf-8")))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert prompt.without_markers(text) == text


@pytest.mark.parametrize("text", ["3 < 5 and 7 > 2", "[laughter]", "He [Jesus] wept", "a > b"])
def test_signs_that_open_no_control_token_stay(text: str) -> None:
    assert prompt.without_markers(text) == text


def test_every_character_that_unicode_turns_into_a_bracket_is_known() -> None:
    surrogates = range(0xD800, 0xE000)
    for code in range(0x80, 0x110000):
        if code in surrogates:
            continue
        normal = unicodedata.normalize("NFKC", chr(code))
        if normal != chr(code) and set(normal) & set("<["):
            assert prompt.without_markers(f"{chr(code)}INST]") != f"{chr(code)}INST]", hex(code)


def test_a_text_of_nothing_but_control_tokens_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        prompt.build("translategemma", Job("<end_of_turn><bos>", EN_ES))
    assert caught.value.reason == "EMPTY_TEXT"


# --- against the tokenizer's own template ---


def check_against_template(folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    job = Job(" Let us pray. ", EN_ES, context=(Earlier("Amen.", "Amén."),))
    conversation = []
    for text, answer in (("Amen.", "Amén."), (" Let us pray. ", None)):
        content = {
            "type": "text",
            "source_lang_code": "en",
            "target_lang_code": "es",
            "text": text,
        }
        conversation.append({"role": "user", "content": [content]})
        if answer:
            conversation.append({"role": "assistant", "content": answer})
    theirs = tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
    assert tokenizer.bos_token + prompt.build("translategemma", job).text == theirs
    family = checked_family("auto", tokenizer.chat_template, folder.name, tokenizer.get_vocab())
    assert family == "translategemma"

    hostile = Job("".join(MARKERS), EN_ES, committed_text="".join(MARKERS))
    ids = tokenizer(prompt.build("translategemma", hostile).text).input_ids
    bos, start, end, *others = tokenizer.convert_tokens_to_ids(
        ["<bos>", "<start_of_turn>", "<end_of_turn>", "<eos>", "<pad>", "<mask>", "<unused7>"]
    )
    found = [token for token in ids if token in (bos, start, end, *others)]
    assert found == [bos, start, end, start]


@pytest.mark.engines
def test_the_prompt_is_what_the_tiny_models_own_template_writes() -> None:
    from tests.tiny.gemma import gemma_hf

    check_against_template(gemma_hf())


@pytest.mark.engines
def test_the_prompt_is_what_the_real_models_own_template_writes() -> None:
    folder = os.environ.get("GLOSSA_TEST_TRANSLATEGEMMA")
    if not folder:
        pytest.skip("set GLOSSA_TEST_TRANSLATEGEMMA to a folder with TranslateGemma's tokenizer")
    check_against_template(Path(folder))
