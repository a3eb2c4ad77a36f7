"""The figures of a session's report: plain values for JSON, made from its record alone.

Lag is what a reader waits: from the end of the speech to the caption in the journal. It is told for
sessions that came in real time; a recording that was fed faster has none.
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter, defaultdict
from typing import Any

from services.collector.bands import BANDS
from services.collector.pair import Decision, ExcludedPair, ReviewedPair, ScoredPair
from services.collector.report.percentiles import percentiles
from services.collector.report.readability import flicker, reading
from services.collector.report.record import SessionRecord
from services.collector.report.wording import capitalised_within, words_of

SCHEMA_VERSION = 1
_SCORES = ("quality_score", "stt_confidence", "translation_qe", "marian_agreement")
_NEW_WORDS_SHOWN = 40
_MIN_NEW_WORD_LETTERS = 4
# A word that is said once is more often misheard than new.
_MIN_NEW_WORD_COUNT = 2


def figures(record: SessionRecord, earlier_words: frozenset[str] | None) -> dict[str, Any]:
    """Everything that a report says, as JSON values.

    Args:
        earlier_words: casefolded words of earlier sessions; None when there was none.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "session": _session(record),
        "segments": _segments(record),
        "pairs": _pairs(record),
        "scores": _scores(record),
        "lag_ms": _lag(record),
        "flicker": flicker(record),
        "reading": reading(record),
        "flagged": _flagged(record),
        "terms": _terms(record, earlier_words),
        "review": _review(record),
        "timeline": _timeline(record),
    }


def _session(record: SessionRecord) -> dict[str, Any]:
    spoken_ms = record.finals[-1].end_offset_ms if record.finals else 0
    return {
        "session_id": record.session_id,
        "journal_id": record.journal_id,
        "title": record.title,
        "source_language": record.source_language,
        "target_languages": list(record.target_languages),
        "start_time": record.start_time.isoformat() if record.start_time else None,
        "end_time": record.end_time.isoformat() if record.end_time else None,
        "end_reason": record.end_reason or None,
        "speech_s": round(spoken_ms / 1000, 1),
        "keeps_audio": record.keeps_audio,
        "stt_models": sorted({final.model for final in record.finals}),
        "mt_models": sorted({translation.model for translation in record.translations}),
    }


def _segments(record: SessionRecord) -> dict[str, Any]:
    gap_ms = sum(gap.end_offset_ms - gap.start_offset_ms for gap in record.gaps)
    return {
        "finals": len(record.finals),
        "words": sum(len(final.text.split()) for final in record.finals),
        "translations": len(record.translations),
        "translated_by": dict(Counter(each.model for each in record.translations).most_common()),
        "untranslated": dict(Counter(record.failed)),
        "suppressed": dict(Counter(record.suppressed)),
        "gap_count": len(record.gaps),
        "gap_s": round(gap_ms / 1000, 1),
    }


def _pairs(record: SessionRecord) -> dict[str, Any]:
    by_language: dict[str, Any] = {}
    for language in record.target_languages:
        judged = [each for _, each in record.judged if each.pair.target_language == language]
        bands = Counter(each.band.value for each in judged if isinstance(each, ScoredPair))
        by_language[language] = {
            "bands": {band.value: bands[band.value] for band in BANDS},
            "excluded": dict(
                Counter(each.reason for each in judged if isinstance(each, ExcludedPair))
            ),
            "accept_ratio": (round(bands["accept"] / bands.total(), 3) if bands.total() else None),
        }
    caps = Counter(cap for scored in record.scored() for cap in scored.caps)
    return {
        "by_language": by_language,
        "caps": dict(caps),
        "owed_scores": len(record.translations) - len(record.judged),
    }


def _scores(record: SessionRecord) -> dict[str, Any]:
    scored = record.scored()
    values: dict[str, list[float]] = defaultdict(list)
    for pair in scored:
        for name in _SCORES:
            if (value := getattr(pair, name)) is not None:
                values[name].append(round(value, 4))
        for signal in pair.pair.signals:
            if signal.value is not None and signal.name not in _SCORES:
                values[signal.name].append(round(signal.value, 4))
    return {
        name: {
            "count": len(found),
            "missing": len(scored) - len(found),
            "mean": round(statistics.fmean(found), 4),
            **percentiles(found),
            "values": found,
        }
        for name, found in values.items()
    }


def _lag(record: SessionRecord) -> dict[str, Any]:
    finals = {final.segment_id: final for final in record.finals}
    scored_at = {
        (judged.pair.segment_id, judged.pair.target_language): time
        for time, judged in record.judged
    }
    parts: dict[str, list[float]] = defaultdict(list)
    for final in record.finals:
        parts["endpointing"].append(final.endpoint_offset_ms - final.end_offset_ms)
        parts["recognition"].append(final.engine_ms)
        parts["source_caption"].append(record.since_start_ms(final.time) - final.end_offset_ms)
    for translation in record.translations:
        heard = finals.get(translation.segment_id)
        if heard is None:
            continue
        parts["translation"].append((translation.time - heard.time).total_seconds() * 1000)
        parts["target_caption"].append(
            record.since_start_ms(translation.time) - heard.end_offset_ms
        )
        at = scored_at.get((translation.segment_id, translation.language))
        if at is not None:
            parts["score"].append((at - translation.time).total_seconds() * 1000)
    if not record.came_in_real_time:
        for name in ("source_caption", "target_caption"):
            parts.pop(name, None)
    return {
        "in_real_time": record.came_in_real_time,
        **{name: percentiles(values) for name, values in parts.items()},
    }


def _flagged(record: SessionRecord) -> list[dict[str, Any]]:
    """Segments that something is doubtful about, those with the most doubts first."""
    found = []
    for scored in record.scored():
        doubts = [*scored.pair.flags, *scored.caps]
        if doubts:
            found.append(
                {
                    "pair_id": scored.pair.pair_id,
                    "segment_id": scored.pair.segment_id,
                    "start_offset_ms": scored.pair.start_offset_ms,
                    "source_text": scored.pair.source_text,
                    "target_text": scored.pair.target_text,
                    "target_language": scored.pair.target_language,
                    "doubts": list(dict.fromkeys(doubts)),
                    "band": scored.band.value,
                    "quality_score": scored.quality_score,
                }
            )
    return sorted(found, key=lambda each: (-len(each["doubts"]), each["quality_score"]))


def _terms(record: SessionRecord, earlier_words: frozenset[str] | None) -> dict[str, Any]:
    required = Counter(term for each in record.translations for term in each.required_terms)
    missing = Counter(term for each in record.translations for term in each.missing_terms)
    mended = Counter(
        (each.heard.casefold(), each.intended)
        for final in record.finals
        for each in final.corrections
    )
    homophones = Counter(
        (each.heard.casefold(), each.intended)
        for final in record.finals
        for each in final.homophones
    )
    return {
        "glossary": [
            {
                "source": source,
                "target": target,
                "count": count,
                "missing": missing[source, target],
                "is_new": earlier_words is not None
                and not earlier_words.issuperset(words_of(source)),
            }
            for (source, target), count in required.most_common()
        ],
        "new_words": _new_words(
            record, earlier_words, {word for s, _ in required for word in words_of(s)}
        ),
        "mended": _counted(mended),
        "homophones": _counted(homophones),
    }


def _new_words(
    record: SessionRecord, earlier_words: frozenset[str] | None, known: set[str]
) -> list[dict[str, Any]]:
    """Words said more than once and never in the sessions before: names, and terms to add.

    In a first session everything is new: then only what is written with a capital.
    """
    counts = Counter(word for final in record.finals for word in words_of(final.text))
    names = {word for final in record.finals for word in capitalised_within(final.text)}
    example = {
        word: final.text for final in reversed(record.finals) for word in words_of(final.text)
    }
    candidates = names if earlier_words is None else counts.keys() - earlier_words
    wanted = [
        (word, count)
        for word, count in counts.most_common()
        if word in candidates
        and word not in known
        and count >= _MIN_NEW_WORD_COUNT
        and len(word) >= _MIN_NEW_WORD_LETTERS
    ]
    return [
        {"word": word, "count": count, "example": example[word]}
        for word, count in itertools.islice(wanted, _NEW_WORDS_SHOWN)
    ]


def _counted(counts: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"heard": heard, "intended": intended, "count": count}
        for (heard, intended), count in counts.most_common()
    ]


def _review(record: SessionRecord) -> dict[str, Any]:
    newest: dict[str, ReviewedPair] = {}
    for review in record.reviews:
        newest[review.pair.pair_id] = review
    standing = [each for each in newest.values() if each.decision is not Decision.WITHDRAWN]
    return {
        "decisions": dict(Counter(each.decision.value for each in standing)),
        "reviewers": dict(Counter(each.reviewer for each in standing)),
        "corrected_texts": record.corrected_texts,
        # What the rate of word errors in `changes` rests on.
        "source_words": sum(len(each.source_text.split()) for each in standing if each.is_gold),
        "changes": [
            {
                "pair_id": each.pair.pair_id,
                "source_before": each.pair.source_text,
                "source_after": each.source_text,
                "target_before": each.pair.target_text,
                "target_after": each.target_text,
            }
            for each in standing
            if each.decision is Decision.FIXED
        ],
    }


def _timeline(record: SessionRecord) -> list[dict[str, Any]]:
    """Each scored pair where it was said, for plots over the session."""
    return [
        {
            "minute": round(scored.pair.start_offset_ms / 60_000, 3),
            "quality_score": scored.quality_score,
            "band": scored.band.value,
            "target_language": scored.pair.target_language,
        }
        for scored in record.scored()
    ]
