"""What the sessions' reports say, as rows for plots. Pure but for reading the files.

A report is written by the collector when a session ends: <reports>/<session>/report.json.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jiwer

from dashboard.report_file import Change, Report, report_of

SCORES = {
    "quality_score": "composite",
    "translation_qe": "translation",
    "stt_confidence": "recognition",
    "marian_agreement": "agreement",
}


@dataclass(frozen=True)
class Session:
    """A session's figures; None where there was nothing to measure.

    Args:
        word_error_rate: of what people looked at: edits of their corrections by its words.
        reviewed_words: how many words that rests on.
        term_accuracy: glossary terms of the sources that are in the translations, [0, 1].
        accept_ratio: scored pairs that are good enough to train on, [0, 1].
        lag_p95_ms: from the end of speech to the translation, in real-time sessions.
        scores: values by signal.
        bands: pairs by band.
    """

    session_id: str
    title: str
    start_time: datetime
    finals: int
    minutes: float
    models: str
    word_error_rate: float | None
    reviewed_words: int
    term_accuracy: float | None
    accept_ratio: float | None
    lag_p95_ms: float | None
    suppressed: int
    untranslated: int
    scores: Mapping[str, list[float]]
    bands: Mapping[str, int]


def read_sessions(folder: Path) -> tuple[list[Session], list[str]]:
    """The sessions of a folder of reports, the oldest first, and which reports cannot be read."""
    found, unreadable = [], []
    for path in sorted(folder.glob("*/report.json")):
        try:
            found.append(session_of(report_of(path.read_bytes())))
        except (OSError, ValueError) as error:
            unreadable.append(f"{path}: {error}")
    return sorted(found, key=lambda each: each.start_time), unreadable


def session_of(report: Report) -> Session:
    session, segments, review = report.session, report.segments, report.review
    bands: Counter[str] = Counter()
    for of_language in report.pairs.by_language.values():
        bands.update(of_language.bands)
    wanted = sum(term.count for term in report.terms.glossary)
    missing = sum(term.missing for term in report.terms.glossary)
    lag = report.lag_ms
    return Session(
        session.session_id,
        session.title or session.session_id,
        session.start_time,
        segments.finals,
        session.speech_s / 60,
        ", ".join([*session.stt_models, *session.mt_models]),
        _edits(review.changes) / review.source_words if review.source_words else None,
        review.source_words,
        1 - missing / wanted if wanted else None,
        bands["accept"] / bands.total() if bands.total() else None,
        lag.target_caption.p95 if lag.in_real_time and lag.target_caption else None,
        sum(segments.suppressed.values()),
        sum(segments.untranslated.values()),
        {
            name: report.scores[key].values if key in report.scores else []
            for key, name in SCORES.items()
        },
        dict(bands),
    )


def score_rows(sessions: list[Session]) -> Iterator[dict[str, Any]]:
    """A row a value, for a histogram."""
    for session in sessions:
        for signal, values in session.scores.items():
            for value in values:
                yield {"session": session.title, "signal": signal, "value": value}


def _edits(changes: Sequence[Change]) -> int:
    """Words put in, left out or replaced by reviewers in what was heard."""
    edits = 0
    for change in changes:
        before, after = change.source_before.split(), change.source_after.split()
        if not after:
            edits += len(before)
            continue
        counted = jiwer.process_words(" ".join(after), " ".join(before))
        edits += counted.substitutions + counted.deletions + counted.insertions
    return edits
