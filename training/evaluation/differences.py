"""The sentences that a person should read before a new model speaks in church."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from training.evaluation.sets import sources
from training.evaluation.translation import SetResult

_MOST_CHANGED = 20
_MOST_LOST = 40


def sentences(results: Sequence[SetResult]) -> Iterator[dict[str, Any]]:
    """Every sentence with its translations; chrF++ in points, `change` new against old."""
    for result in results:
        rows = result.evaluated.rows
        for at, (row, asked) in enumerate(zip(rows, sources(rows, result.variant), strict=True)):
            old = result.old
            sentence: dict[str, Any] = {
                "set": result.evaluated.name,
                "variant": result.variant,
                "group": row.group,
                "source": asked,
                "reference": row.target,
                "new": result.new.translations[at],
                "new_voice": result.new.voices[at] if result.new.voices else "",
                "new_chrf": round(result.new.sentence_chrf[at], 2),
                "new_lost": list(result.new.lost[at]),
            }
            if old is not None:
                sentence |= {
                    "old": old.translations[at],
                    "old_voice": old.voices[at] if old.voices else "",
                    "old_chrf": round(old.sentence_chrf[at], 2),
                    "old_lost": list(old.lost[at]),
                    "change": round(result.new.sentence_chrf[at] - old.sentence_chrf[at], 2),
                }
            yield sentence


def to_read(results: Sequence[SetResult]) -> dict[str, list[dict[str, Any]]]:
    """{"lost", "worse", "better"}: what the new model loses and the old one did not, and the
    greatest losses and gains in chrF++. Of a single model: what it loses, and its worst."""
    found = list(sentences(results))
    lost = sorted((each for each in found if _newly_lost(each)), key=_newly_lost, reverse=True)
    if results and results[0].old is None:
        worst = sorted(found, key=lambda sentence: sentence["new_chrf"])
        return {"lost": lost[:_MOST_LOST], "worse": worst[:_MOST_CHANGED], "better": []}
    by_change = sorted(found, key=lambda sentence: sentence["change"])
    return {
        "lost": lost[:_MOST_LOST],
        "worse": [each for each in by_change[:_MOST_CHANGED] if each["change"] < 0],
        "better": [each for each in by_change[: -_MOST_CHANGED - 1 : -1] if each["change"] > 0],
    }


def _newly_lost(sentence: dict[str, Any]) -> int:
    """How much the new model loses here that the old one does not."""
    return len(set(sentence["new_lost"]).difference(sentence.get("old_lost", ())))
