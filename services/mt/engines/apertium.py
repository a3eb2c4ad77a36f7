"""Apertium: rules and dictionaries, no model to download, a text in about 2 ms.

It is always there and always answers; it is not caption quality. Two of its habits are mended here:
it leaves spaces where it dropped a pronoun, and it gives the sentence's capital to the first word
that its rules know, sometimes to all of that word. It also knows no "i", which recognisers write.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from services import apertium
from services.mt.engine import Capabilities, EngineOptions, Job, LanguagePair, Rendering, Task

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE_START = re.compile(r"(?:^|[.!?…:]['\"»”)]*\s)[\s¿¡'\"«“(]*$")
_LONE_I = re.compile(r"(?<!\w)i(?=['’](?:m|d|ll|ve)\b|[\s,;:!?]|$)")
# English writes these with a capital wherever they stand.
_ENGLISH_CAPITALS = re.compile(r"I(?:['’].*)?$")


def load(options: EngineOptions) -> ApertiumEngine:
    engine = ApertiumEngine(options.request_timeout_s)
    for pair in engine.capabilities.pairs:
        if pair in options.pairs:
            engine.warm(pair)
    return engine


class ApertiumEngine:
    """A resident pipeline for each pair; one that is not warmed starts with its first text."""

    name = "apertium"

    def __init__(self, request_timeout_s: float) -> None:
        self._pipelines = {
            LanguagePair(mode.source_language, mode.target_language): apertium.Apertium(
                mode, request_timeout_s=request_timeout_s
            )
            for mode in apertium.installed_modes()
        }
        self.capabilities = Capabilities(pairs=tuple(self._pipelines))

    @property
    def restarts(self) -> int:
        return sum(pipeline.restarts for pipeline in self._pipelines.values())

    def warm(self, pair: LanguagePair) -> None:
        self._pipelines[pair].start()

    def model(self, pair: LanguagePair) -> str:
        return f"apertium/{self._pipelines[pair].mode.name}"

    def translate(self, tasks: Sequence[Task]) -> list[Rendering]:
        return [self._translate(task.job) for task in tasks]

    def _translate(self, job: Job) -> Rendering:
        source = _LONE_I.sub("I", job.text) if job.pair.source == "en" else job.text
        translation = self._pipelines[job.pair].translate(source)
        text = _tidied(translation.text)
        if job.pair.target == "es":
            text = _without_stray_capitals(source, text)
        return Rendering(text, translation.unknown_words)

    def close(self) -> None:
        for pipeline in self._pipelines.values():
            pipeline.close()


def _tidied(text: str) -> str:
    return re.sub(r"(?<=\w) (?=[.,;:!?](?:\s|$))", "", re.sub(r"\s+", " ", text)).strip()


def _without_stray_capitals(source: str, text: str) -> str:
    """Lowers capitals inside sentences and words of `text` when `source` had none there.

    "hello world" comes as "hola Mundo", "the ark" as "EL arca". Only for languages that write names
    alone with a capital: whoever lowers the "English" of "I speak English" makes an error.
    """
    if any(
        _capital_inside(source, word) or word[0][1:] != word[0][1:].lower()
        for word in _WORD.finditer(source)
    ):
        return text

    def settled(word: re.Match[str]) -> str:
        first, rest = word[0][0], word[0][1:].lower()
        return (first.lower() if _capital_inside(text, word) else first) + rest

    return _WORD.sub(settled, text)


def _capital_inside(text: str, word: re.Match[str]) -> bool:
    return (
        word[0][0].isupper()
        and not _ENGLISH_CAPITALS.match(word[0])
        and not _SENTENCE_START.search(text, 0, word.start())
    )
