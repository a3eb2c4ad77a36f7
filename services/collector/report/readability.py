"""How well captions could be read: how much was taken back, and how fast they came.

Flicker is normalised erasure: the words that were shown and taken back, for each word of the finals
(Arivazhagan et al. 2020, arXiv 2004.03643). The gateway counts them as it shows them.

Reading speed is what a reader has to take in: the words of a final over the time until the next one
came. It is told for sessions that came in real time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any

from services.collector.report.percentiles import percentiles
from services.collector.report.record import Final, SessionRecord, Translated

# Subtitles should not normally exceed 160 to 180 words a minute (Ofcom, Guidelines on the provision
# of television access services).
READABLE_WPM = 180


def flicker(record: SessionRecord) -> dict[str, Any]:
    """Normalised erasure by language; None where no final has a count."""
    return {language: _flicker(texts) for language, texts in _by_language(record)}


def reading(record: SessionRecord) -> dict[str, Any]:
    """Words a minute by language, and where in the session; without values when fed faster."""
    by_language: dict[str, Any] = {}
    timeline = []
    for language, texts in _by_language(record):
        speeds = list(_speeds_wpm(texts)) if record.came_in_real_time else []
        shares = percentiles(wpm for _, wpm in speeds)
        above = sum(wpm > READABLE_WPM for _, wpm in speeds)
        by_language[language] = {
            "count": len(speeds),
            "p50_wpm": shares["p50"],
            "p95_wpm": shares["p95"],
            "share_above_readable": round(above / len(speeds), 3) if speeds else None,
        }
        timeline += [
            {"minute": round(record.minute_of(time), 3), "wpm": round(wpm, 1), "language": language}
            for time, wpm in speeds
        ]
    return {
        "readable_wpm": READABLE_WPM,
        "in_real_time": record.came_in_real_time,
        "by_language": by_language,
        "timeline": timeline,
    }


def _by_language(record: SessionRecord) -> Iterator[tuple[str, Sequence[Final | Translated]]]:
    """The finals in the language that was spoken, then those in each target language."""
    yield record.source_language, record.finals
    for language in record.target_languages:
        yield language, [each for each in record.translations if each.language == language]


def _flicker(texts: Sequence[Final | Translated]) -> dict[str, Any]:
    counted = [each for each in texts if each.erased_word_count is not None]
    word_count = sum(len(each.text.split()) for each in counted)
    erased_count = sum(each.erased_word_count or 0 for each in counted)
    return {
        "final_words": word_count,
        "erased_words": erased_count if counted else None,
        "normalised_erasure": round(erased_count / word_count, 3) if word_count else None,
    }


def _speeds_wpm(texts: Sequence[Final | Translated]) -> Iterator[tuple[datetime, float]]:
    """When a final came, and the words a minute at which it is read until the next one comes.

    Finals that came in the same millisecond are read as one; the last one has all the time.
    """
    arrivals = [
        (time, sum(len(each.text.split()) for each in together))
        for time, together in groupby(
            sorted(texts, key=lambda each: each.time), key=lambda each: each.time
        )
    ]
    for (time, word_count), (next_time, _) in pairwise(arrivals):
        yield time, word_count * 60 / (next_time - time).total_seconds()
