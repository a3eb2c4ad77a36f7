"""Verses of two versions of the Bible, side by side, without those that do not say the same.

What is dropped and why:

    empty         one of the versions does not have the verse
    leak          it says what a verse of the judging books says (`leak_excluded`)
    length        its ratio of lengths is an outlier among those of this pair of versions
    shifted       a neighbouring verse's translation fits clearly better: other verse numbers
    unrelated     its words hardly ever are each other's translation
    divine_name   how often the verse names God cannot be told (--divine-name jehova)
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.errors import InvalidInput
from training.texts.lexicon import Lexicon
from training.texts.verse_text import (
    DivineName,
    jehovah_count,
    spoken,
    with_jehovah,
    with_lord,
)

ARCHAIC = "<archaic>"


@dataclass(frozen=True)
class Version:
    language: str
    licence: str
    is_archaic: bool = False

    @property
    def is_share_alike(self) -> bool:
        return "-SA" in self.licence


VERSIONS = {
    **dict.fromkeys(("KJV", "ASV", "WEB", "BBE", "YLT", "BSB"), Version("en", "public domain")),
    "FBV": Version("en", "CC BY-SA 4.0, Jonathan Gallagher"),
    "RV1909": Version("es", "public domain", is_archaic=True),
    "BES": Version("es", "CC BY 4.0, La Biblia en Español Sencillo, AudioBiblia.org, Irma Flores"),
    "VBL": Version("es", "CC BY-SA 4.0, Jonathan Gallagher and Shelly Barrios de Avila"),
}

# Of the logarithm of the ratio of lengths. 1.4826 makes the median absolute deviation of a normal
# distribution its standard deviation; beyond five of them a verse lacks or adds a clause.
_LENGTH_DEVIATIONS = 5 * 1.4826
# Shares of the median score of a pair of versions. Read by eye on five pairs: below a tenth hardly
# a word is translated; verses whose neighbour fits better by that much are numbered otherwise.
_UNRELATED_SHARE = 0.1
_SHIFTED_SHARE = 0.5
_SHIFTED_MARGIN = 0.1
# Fewer words than this that mean something prove nothing.
_FEWEST_STEMS = 4


@dataclass(frozen=True)
class Verse:
    """A verse in two versions. split: train, dev or test."""

    book: str
    chapter: int
    number: int
    split: str
    source: str
    target: str


@dataclass(frozen=True)
class VersionPair:
    """Two versions, "WEB-BES": what is translated, and into what."""

    source: str
    target: str

    @classmethod
    def parse(cls, name: str) -> VersionPair:
        """Raises InvalidInput."""
        source, _, target = name.partition("-")
        for version, language in ((source, "en"), (target, "es")):
            if version not in VERSIONS or VERSIONS[version].language != language:
                known = (key for key, value in VERSIONS.items() if value.language == language)
                raise InvalidInput(
                    "VERSION_UNKNOWN",
                    f"{name} is no pair of an English and a Spanish version, as WEB-BES; "
                    f"in {language} there are {', '.join(known)}",
                )
        return cls(source, target)

    @property
    def name(self) -> str:
        return f"{self.source}-{self.target}"

    @property
    def is_archaic(self) -> bool:
        return VERSIONS[self.target].is_archaic

    @property
    def is_share_alike(self) -> bool:
        return any(VERSIONS[name].is_share_alike for name in (self.source, self.target))


def aligned(
    verses: Sequence[Mapping[str, Any]],
    pair: VersionPair,
    divine_name: DivineName,
    mended: Mapping[str, str] | None = None,
) -> tuple[list[Verse], Counter[str]]:
    """The verses that both versions have and agree on; of the others, how many for which reason.

    Args:
        mended: texts of the target version to put in the place of its own, by verse_id.
    """
    dropped: Counter[str] = Counter()
    present: list[Verse] = []
    for fields in verses:
        if not (fields.get(pair.source) and fields.get(pair.target)):
            dropped["empty"] += 1
        elif fields.get("leak_excluded"):
            dropped["leak"] += 1
        else:
            target = (mended or {}).get(fields["verse_id"]) or fields[pair.target]
            book, chapter, number = fields["verse_id"].split(".")
            present.append(
                Verse(
                    book,
                    int(chapter),
                    int(number),
                    fields["split"],
                    spoken(fields[pair.source]),
                    spoken(target),
                )
            )
    reasons = _misfits(present)
    name_counts = {verse["verse_id"]: jehovah_count(verse.get("RV1909") or "") for verse in verses}
    kept = []
    for verse, reason in zip(present, reasons, strict=True):
        if reason:
            dropped[reason] += 1
            continue
        name_count = name_counts[f"{verse.book}.{verse.chapter}.{verse.number}"]
        target = _named(verse.target, divine_name, pair.is_archaic, name_count)
        if target is None:
            dropped["divine_name"] += 1
            continue
        kept.append(
            Verse(verse.book, verse.chapter, verse.number, verse.split, verse.source, target)
        )
    return kept, dropped


def _misfits(verses: Sequence[Verse]) -> list[str]:
    """Why each verse is none to learn from; "" for what is one."""
    if not verses:
        return []
    ratios = [math.log(len(verse.target) / len(verse.source)) for verse in verses]
    middle = statistics.median(ratios)
    deviation = statistics.median(abs(ratio - middle) for ratio in ratios)
    lexicon = Lexicon([(verse.source, verse.target) for verse in verses])
    scores = [lexicon.score(index, index) for index in range(len(verses))]
    typical = statistics.median([score for score in scores if score is not None] or [0.0])
    reasons = []
    for index, (verse, score) in enumerate(zip(verses, scores, strict=True)):
        reason = ""
        if abs(ratios[index] - middle) > _LENGTH_DEVIATIONS * deviation:
            reason = "length"
        elif score is not None and lexicon.stem_count(index) >= _FEWEST_STEMS:
            beside = [
                lexicon.score(index, other)
                for other in (index - 1, index + 1)
                if 0 <= other < len(verses) and verses[other].book == verse.book
            ]
            best = max((other for other in beside if other is not None), default=0.0)
            if score < _SHIFTED_SHARE * typical and best > score + _SHIFTED_MARGIN:
                reason = "shifted"
            elif score < _UNRELATED_SHARE * typical:
                reason = "unrelated"
        reasons.append(reason)
    return reasons


def _named(target: str, divine_name: DivineName, is_archaic: bool, count: int) -> str | None:
    """The target with God's name as asked; None when that cannot be told."""
    if divine_name == "jehova":
        # The old versions have the name and call none but masters "Señor".
        return target if is_archaic else with_jehovah(with_lord(target), count)
    if divine_name == "senor" or (divine_name == "tagged" and not is_archaic):
        return with_lord(target)
    return target
