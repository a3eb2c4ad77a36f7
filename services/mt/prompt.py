"""What a language model is told so that it translates: one small function for each family.

Every runtime builds its prompts here, completes the text as it stands (its tokenizer adds the
beginning-of-sequence token, the text never holds one) and stops at the model's end-of-turn token.
The instruction comes first and the text last, so that a runtime can keep what it computed for the
beginning. No chat template that comes with a model runs: prompt_family chooses by it at most.

Nothing that comes from outside (the text, the context, terms, committed text) can end a turn or
open one: `without_markers` breaks every control token in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from services.errors import InvalidInput
from services.mt.engine import Earlier, Job, LanguagePair, RequiredTerm
from services.mt.languages import name_of

# Earlier segments in a prompt: the last two, within so many characters of source and target.
MAX_CONTEXT_PAIRS = 2
MAX_CONTEXT_CHARACTERS = 1200
MAX_TERMS = 16
MAX_TERM_CHARACTERS = 800
# The model card of TranslateGemma names 2K tokens of input; beyond a few sentences quality falls.
MAX_SOURCE_TOKENS = 500


@dataclass(frozen=True)
class Prompt:
    """A text to complete.

    Args:
        text: up to where the model goes on, `begins_answer` included; no <bos>.
        stop: strings at which the answer is over, for runtimes that do not stop by token id.
        begins_answer: how the answer begins already; the runtime puts it before what it generated.
    """

    text: str
    stop: tuple[str, ...]
    begins_answer: str = ""


@dataclass(frozen=True)
class _Cleaned:
    """A job whose texts hold no control token."""

    pair: LanguagePair
    text: str
    context: tuple[Earlier, ...]
    terms: tuple[RequiredTerm, ...]


def build(family: str, job: Job) -> Prompt:
    """The prompt of a job.

    Args:
        family: a name in FAMILIES.

    Raises:
        InvalidInput: UNSUPPORTED_LANGUAGE_PAIR, EMPTY_TEXT (nothing but control tokens),
            UNKNOWN_PROMPT_FAMILY.
    """
    if family not in FAMILIES:
        raise unknown_family(f"there is no prompt family {family!r}")
    cleaned = _Cleaned(
        job.pair,
        without_markers(job.text).strip(),
        _last_pairs(job.context),
        _first_terms(job.terms),
    )
    if not cleaned.text:
        raise InvalidInput("EMPTY_TEXT", "there is no text to translate but control tokens")
    turns, stop = FAMILIES[family](cleaned)
    begins_answer = without_markers(job.committed_text).strip()
    return Prompt(turns + begins_answer, stop, begins_answer)


# --- families ---


def _translategemma(job: _Cleaned) -> tuple[str, tuple[str, ...]]:
    """Gemma 3 turns with the instruction TranslateGemma was trained on, word for word.

    It knows no other instruction, so context and terms are earlier turns of the same kind, terms a
    line each.
    """
    source, target = name_of(job.pair.source), name_of(job.pair.target)
    source_code, target_code = _code(job.pair.source), _code(job.pair.target)
    instruction = (
        f"You are a professional {source} ({source_code}) to {target} ({target_code}) translator. "
        f"Your goal is to accurately convey the meaning and nuances of the original {source} text "
        f"while adhering to {target} grammar, vocabulary, and cultural sensitivities.\n"
        f"Produce only the {target} translation, without any additional explanations or "
        f"commentary. Please translate the following {source} text into {target}:\n\n\n"
    )
    earlier = list(job.context)
    if job.terms:
        earlier.append(
            Earlier(
                "\n".join(term.source for term in job.terms),
                "\n".join(term.target for term in job.terms),
            )
        )
    turns = [
        f"<start_of_turn>user\n{instruction}{pair.source}<end_of_turn>\n"
        f"<start_of_turn>model\n{pair.target}<end_of_turn>\n"
        for pair in earlier
    ]
    turns.append(f"<start_of_turn>user\n{instruction}{job.text}<end_of_turn>\n")
    return "".join(turns) + "<start_of_turn>model\n", ("<end_of_turn>",)


def _gemma3(job: _Cleaned) -> tuple[str, tuple[str, ...]]:
    """Gemma 2 and 3, which know no system turn."""
    return (
        f"<start_of_turn>user\n{_request(job)}<end_of_turn>\n<start_of_turn>model\n",
        ("<end_of_turn>",),
    )


def _gemma4(job: _Cleaned) -> tuple[str, tuple[str, ...]]:
    """Gemma 4's turns; without <|think|> in a system turn the small ones do not think aloud."""
    return f"<|turn>user\n{_request(job)}<turn|>\n<|turn>model\n", ("<turn|>",)


def _gemma4_large(job: _Cleaned) -> tuple[str, tuple[str, ...]]:
    """The large ones (26B, 31B) are handed an empty thought, or they might think first."""
    turns, stop = _gemma4(job)
    return turns + "<|channel>thought\n<channel|>", stop


def _chatml(job: _Cleaned) -> tuple[str, tuple[str, ...]]:
    """ChatML, the turns of Qwen and of many others (its description by OpenAI: chatml.md)."""
    return (
        f"<|im_start|>user\n{_request(job)}<|im_end|>\n<|im_start|>assistant\n",
        ("<|im_end|>",),
    )


def _chatml_quiet(job: _Cleaned) -> tuple[str, tuple[str, ...]]:
    """The model card of Qwen3: an empty thought is how it is told not to think aloud."""
    turns, stop = _chatml(job)
    return turns + "<think>\n\n</think>\n\n", stop


def _llama3(job: _Cleaned) -> tuple[str, tuple[str, ...]]:
    """Llama 3 to 3.3, as Meta's model cards and prompt formats write them."""
    return (
        f"<|start_header_id|>user<|end_header_id|>\n\n{_request(job)}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ("<|eot_id|>",),
    )


FAMILIES: dict[str, Callable[[_Cleaned], tuple[str, tuple[str, ...]]]] = {
    "translategemma": _translategemma,
    "gemma3": _gemma3,
    "gemma4": _gemma4,
    "gemma4-large": _gemma4_large,
    "chatml": _chatml,
    "chatml-quiet": _chatml_quiet,
    "llama3": _llama3,
}


def unknown_family(found: str) -> InvalidInput:
    """UNKNOWN_PROMPT_FAMILY: what was found, and what to set instead."""
    return InvalidInput(
        "UNKNOWN_PROMPT_FAMILY",
        f"{found}; set GLOSSA_MT_PROMPT_FAMILY to the right one of {', '.join(FAMILIES)}, or "
        "choose another model",
    )


def _request(job: _Cleaned) -> str:
    """What a model that follows instructions is asked in its one turn."""
    source, target = name_of(job.pair.source), name_of(job.pair.target)
    lines = [
        f"Translate what a preacher says from {source} ({_code(job.pair.source)}) into {target} "
        f"({_code(job.pair.target)}). Answer with the {target} translation of the last text alone: "
        "no explanation, no notes, no quotation marks around it.",
    ]
    if job.context:
        lines += ["", "Said just before:"]
        for earlier in job.context:
            lines += [f"{source}: {earlier.source}", f"{target}: {earlier.target}"]
    if job.terms:
        lines += ["", "Use these words:"]
        lines += [f"{term.source} = {term.target}" for term in job.terms]
    lines += ["", f"{source}: {job.text}"]
    return "\n".join(lines)


def _code(code: str) -> str:
    return code.replace("_", "-")


# --- control tokens in what comes from outside ---

# Characters that some tokenizers turn into < > [ ] before they look for control tokens (Unicode
# compatibility forms).
_LOOK_ALIKES = str.maketrans(
    {"＜": "<", "﹤": "<", "＞": ">", "﹥": ">", "［": "[", "﹇": "[", "］": "]", "﹈": "]"}
)
# What looks like a tag or a control token: <start_of_turn>, <|turn>, <turn|>, <|im_start|>, </s>,
# <0x0A>, <｜User｜>.
_TAG = re.compile(r"<[^\s<>]{1,64}>")
# The rule that holds whatever the list of tokens is: no < stands directly before anything but a
# plain space or a line break, and every control token of that kind begins so.
_OPENING = re.compile(r"<(?=[^ \n])")
# Bracketed control tokens: [INST], [/INST], [SYSTEM_PROMPT]; Gemma's [multimodal], GLM's [gMASK].
_BRACKETED = re.compile(r"\[(?=([^\[\]\n]{2,64})\])")
_BRACKETED_NAME = re.compile(r"/?(?:[A-Z][A-Z_@]+|gMASK|sMASK|multimodal|toxicity)")


def without_markers(text: str) -> str:
    """`text` in which no tokenizer finds a control token; text without < or [ comes back unchanged.

    Whole tags go; of what is left, or came together when a tag between went, each opening is
    parted from what follows by a space.
    """
    text = _TAG.sub("", text.translate(_LOOK_ALIKES))
    return _BRACKETED.sub(_parted, _OPENING.sub("< ", text))


def _parted(opening: re.Match[str]) -> str:
    name = unicodedata.normalize("NFKC", opening[1])
    # Control and format characters (C*) are what some tokenizers drop.
    name = "".join(sign for sign in name if not unicodedata.category(sign).startswith("C"))
    return "[ " if _BRACKETED_NAME.fullmatch(name) else "["


def _last_pairs(context: tuple[Earlier, ...]) -> tuple[Earlier, ...]:
    kept: list[Earlier] = []
    room = MAX_CONTEXT_CHARACTERS
    for earlier in reversed(context[-MAX_CONTEXT_PAIRS:]):
        source = without_markers(earlier.source).strip()
        target = without_markers(earlier.target).strip()
        room -= len(source) + len(target)
        if room < 0:
            break
        if source and target:
            kept.insert(0, Earlier(source, target))
    return tuple(kept)


def _first_terms(terms: tuple[RequiredTerm, ...]) -> tuple[RequiredTerm, ...]:
    kept: list[RequiredTerm] = []
    room = MAX_TERM_CHARACTERS
    for term in terms[:MAX_TERMS]:
        # One line each: a line break would pair it with another's rendering.
        source = " ".join(without_markers(term.source).split())
        target = " ".join(without_markers(term.target).split())
        room -= len(source) + len(target)
        if room < 0:
            break
        if source and target:
            kept.append(RequiredTerm(source, target))
    return tuple(kept)
