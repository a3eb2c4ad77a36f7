"""When each word of a text was said, by what the recogniser heard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from services.captions.transcripts.transcript import Word

# Above it texts are not compared: the time that a comparison takes grows with this product.
_COMPARED_LIMIT = 1_000_000


def timed_words(text: str, heard: Sequence[Word], end_offset_ms: int) -> tuple[Word, ...]:
    """The words of `text` with times: those heard where they are the same, else in between.

    A person's correction and a church's terms change words after they were heard.

    Returns:
        Words which together are `text` without its blanks; none when nothing was heard.
    """
    if not heard:
        return ()
    if _squeezed(each.text for each in heard) == _squeezed(text):  # scripts without blanks, too
        return tuple(heard)
    tokens = text.split()
    if len(tokens) * len(heard) > _COMPARED_LIMIT:
        return tuple(_spread(tokens, heard[0].start_offset_ms, end_offset_ms))
    matcher = SequenceMatcher(
        None, [_key(each.text) for each in heard], [_key(each) for each in tokens], autojunk=False
    )
    words: list[Word] = []
    for kind, heard_first, heard_last, first, last in matcher.get_opcodes():
        if kind == "equal":
            words += [
                Word(token, said.start_offset_ms, said.end_offset_ms, said.probability)
                for token, said in zip(
                    tokens[first:last], heard[heard_first:heard_last], strict=True
                )
            ]
        elif kind == "replace":
            start_ms = heard[heard_first].start_offset_ms
            words += _spread(tokens[first:last], start_ms, heard[heard_last - 1].end_offset_ms)
        elif kind == "insert":
            is_last = heard_first == len(heard)
            end_ms = end_offset_ms if is_last else heard[heard_first].start_offset_ms
            start_ms = heard[heard_first - 1].end_offset_ms if heard_first else end_ms
            words += _spread(tokens[first:last], start_ms, end_ms)
    return tuple(words)


def _spread(tokens: Sequence[str], start_ms: int, end_ms: int) -> list[Word]:
    """Words whose times are in proportion to their length."""
    total = sum(map(len, tokens))
    length_ms = max(0, end_ms - start_ms)
    bounds, done = [start_ms], 0
    for token in tokens:
        done += len(token)
        bounds.append(start_ms + length_ms * done // total)
    return [
        Word(token, first_ms, last_ms)
        for token, (first_ms, last_ms) in zip(tokens, pairwise(bounds), strict=True)
    ]


def _squeezed(texts: Iterable[str]) -> str:
    return "".join("".join(texts).split())


def _key(word: str) -> str:
    """A word as it is compared: without case and signs."""
    return "".join(each for each in word.casefold() if each.isalnum())
