"""Which prompt family a language model is of: by its tokens, and by what its own template writes.

The template is a program that comes with the model. It is searched for markers and never run.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from services.mt.prompt import FAMILIES, unknown_family

_GEMMA_3 = ("<start_of_turn>", "<end_of_turn>")
_GEMMA_4 = ("<|turn>", "<turn|>")
_CHATML = ("<|im_start|>", "<|im_end|>")
_LLAMA_3 = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
# What writes a family's turns; the first opens one.
_TURNS = {
    "translategemma": _GEMMA_3,
    "gemma3": _GEMMA_3,
    "gemma4": _GEMMA_4,
    "gemma4-large": _GEMMA_4,
    "chatml": _CHATML,
    "chatml-quiet": _CHATML,
    "llama3": _LLAMA_3,
}
_TITLES = {_GEMMA_3: "Gemma 3", _GEMMA_4: "Gemma 4", _CHATML: "ChatML", _LLAMA_3: "Llama 3"}
# Every token that a family's turns are of; a vocabulary is asked for these.
MARKERS = frozenset(marker for turns in _TITLES for marker in turns)
# How a template hands over an empty thought, with line breaks as Jinja or as text has them.
_EMPTY_GEMMA_THOUGHT = re.compile(r"<\|channel>thought(?:\\n|\n)<channel\|>")
_EMPTY_CHATML_THOUGHT = re.compile(r"<think>(?:\\n|\n){2}</think>(?:\\n|\n){2}")


def checked_family(
    wanted: str, chat_template: str | None, model_name: str, tokens: Collection[str]
) -> str:
    """The family to use: `wanted`, or that of the model for "auto".

    Args:
        chat_template: its source in Jinja; None when the model carries none.
        model_name: file, folder or title; tells TranslateGemma from Gemma 3 where a conversion
            dropped its template for the plain one.
        tokens: the model's vocabulary, or those of MARKERS that it holds.

    Raises:
        InvalidInput: UNKNOWN_PROMPT_FAMILY, naming what was found; also when the template says that
            `wanted` is wrong, or the vocabulary has no such turns: those of Gemma 3 make a Gemma 4
            model write garbage.
    """
    if wanted != "auto" and wanted not in FAMILIES:
        raise unknown_family(f"there is no prompt family {wanted!r}")
    family = _family_of(chat_template, model_name) if wanted == "auto" else wanted
    opened = _opened(chat_template or "")
    if opened and _TURNS[family] not in opened:
        raise unknown_family(
            f"the prompt family {family} does not fit {model_name!r}: its chat template is of "
            f"{_titles(opened)}"
        )
    missing = [marker for marker in _TURNS[family] if marker not in tokens]
    if missing:
        raise unknown_family(
            f"the prompt family {family} does not fit {model_name!r}: its vocabulary has no "
            f"{' and no '.join(missing)}"
        )
    return family


def _family_of(chat_template: str | None, model_name: str) -> str:
    is_translategemma = "translategemma" in re.sub(r"[\W_]+", "", model_name.lower())
    if not chat_template:
        if is_translategemma:
            return "translategemma"
        raise unknown_family(f"the model {model_name!r} carries no chat template")
    found = _opened(chat_template)
    if not found:
        openings = ", ".join(turns[0] for turns in _TITLES)
        raise unknown_family(
            f"the chat template of {model_name!r} opens its turns with none of {openings}"
        )
    if len(found) > 1:
        raise unknown_family(
            f"the chat template of {model_name!r} writes turns of {_titles(found)}"
        )
    takes_codes = "source_lang_code" in chat_template
    if takes_codes and found != [_GEMMA_3]:
        raise unknown_family(
            f"the chat template of {model_name!r} takes language codes as TranslateGemma's does, "
            f"but opens its turns with {found[0][0]}"
        )
    if found == [_GEMMA_3]:
        return "translategemma" if takes_codes or is_translategemma else "gemma3"
    if found == [_GEMMA_4]:
        # Only the templates of the large ones end their generation prompt like this.
        return "gemma4-large" if _EMPTY_GEMMA_THOUGHT.search(chat_template) else "gemma4"
    if found == [_CHATML]:
        return _chatml_family(chat_template, model_name)
    return "llama3"


def _opened(chat_template: str) -> list[tuple[str, ...]]:
    """What turns a template opens."""
    return [turns for turns in _TITLES if turns[0] in chat_template]


def _titles(found: list[tuple[str, ...]]) -> str:
    return " and of ".join(_TITLES[turns] for turns in found)


def _chatml_family(chat_template: str, model_name: str) -> str:
    if "enable_thinking" not in chat_template:
        return "chatml"
    if not _EMPTY_CHATML_THOUGHT.search(chat_template):
        raise unknown_family(
            f"the model {model_name!r} thinks aloud, and its chat template does not tell it not to "
            "as Qwen3's does"
        )
    return "chatml-quiet"
