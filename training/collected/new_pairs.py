"""What becomes of the entries that a trainer was given: rows by split, and what is left out. Pure.

A pair of an earlier snapshot is not written again, whatever people have decided about it since.
That is named, like everything else that is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from services.collector import general
from services.collector.bands import Band
from services.collector.candidate import Candidate, Candidates
from services.collector.pair import Decision, ReviewedPair, ScoredPair
from services.collector.pair_keys import CORRECTED
from services.collector.reading import CollectedPair
from services.collector.row import Row
from services.collector.tiers import Draw, select
from training.collected.earlier_snapshots import REJECTED, EarlierSnapshots
from training.collected.held_out import Place, Split, places
from training.collected.pair_streams import Entry
from training.rows import read_rows
from training.texts.leakage import Leakage

LEAKED = "leaked"
_OWN_HELD_OUT = "held-out sessions"

Languages = tuple[str, str]  # source, target


@dataclass(frozen=True, slots=True)
class NewPairs:
    """What a snapshot is made of.

    Args:
        rows: by language pair and split.
        places: of the sessions of the rows.
        dropped: reason to session to ids of pairs that are left out.
        entries: all that were delivered.
        settled: those that need no snapshot: stored before, or gone.
    """

    rows: Mapping[tuple[Languages, Split], Sequence[Row]]
    places: Mapping[str, Place]
    dropped: Mapping[str, Mapping[str, Sequence[str]]]
    entries: Sequence[Entry]
    settled: Sequence[Entry]

    @property
    def row_count(self) -> int:
        return sum(map(len, self.rows.values()))

    def facts(self) -> dict[str, Any]:
        """What the manifest says of it."""
        return {
            "splits": {
                session: {"split": place.split, "date": place.date}
                for session, place in sorted(self.places.items())
            },
            "dropped": self.dropped,
            "entries": _ids(self.entries),
            "damaged_entries": _ids(entry for entry in self.entries if entry.is_damaged),
        }


def taken(
    entries: Sequence[Entry],
    earlier: EarlierSnapshots,
    leakages: Mapping[str, Leakage],
    held_out_share: float,
    held_out_newest: int | None,
    min_band: Band,
    seed: int,
) -> NewPairs:
    """Sorts the entries.

    Args:
        leakages: of what models are judged with, by its name.
        min_band: the lowest band among the entries that goes in without a person's word.
    """
    candidates = Candidates()
    dates: dict[str, str] = {}
    dropped: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    settled = []
    newest: dict[str, ReviewedPair] = {}
    for entry in entries:
        collected = entry.pair
        if collected is None or _is_repeated(collected, earlier):
            settled.append(entry)
        if collected is None:
            continue
        pair = collected.pair
        candidates.add(_candidate(collected))
        date = pair.time.astimezone(UTC).date().isoformat()
        dates[pair.session_id] = min(date, dates.get(pair.session_id, date))
        if isinstance(collected, ReviewedPair):
            known = newest.get(pair.pair_id)
            if known is None or collected.revision > known.revision:
                newest[pair.pair_id] = collected
    for pair_id, reviewed in sorted(newest.items()):
        if pair_id in earlier.pair_ids:
            dropped[f"{reviewed.decision.value} after an earlier snapshot"][
                reviewed.pair.session_id
            ].append(pair_id)
        elif reviewed.decision is Decision.REJECTED:
            dropped[REJECTED][reviewed.pair.session_id].append(pair_id)

    new = [
        candidate
        for candidate in candidates
        if candidate.pair_id not in earlier.pair_ids
        and not (candidate.pair_id in earlier.rejected and candidate.pair_id not in newest)
    ]
    placed = places(
        {candidate.session_id: dates[candidate.session_id] for candidate in new},
        earlier.places,
        held_out_share,
        held_out_newest,
    )
    by_split: dict[tuple[Languages, Split], list[Candidate]] = defaultdict(list)
    for candidate in new:
        by_split[candidate.languages, placed[candidate.session_id].split].append(candidate)
    held_out = [
        text
        for (_, split), found in by_split.items()
        if split != "train"
        for candidate in found
        for text in (candidate.source_text, candidate.target_text)
    ]
    judged_with = {**leakages, _OWN_HELD_OUT: Leakage([*earlier.held_out_texts, *held_out])}
    for (_, split), found in by_split.items():
        if split != "train":
            continue
        for candidate in list(found):
            where = _leak(candidate, judged_with)
            if where is not None:
                found.remove(candidate)
                dropped[f"{LEAKED}: {where}"][candidate.session_id].append(candidate.pair_id)
    draw = Draw(seed=seed, min_band=min_band, diversity_share=0.0, general_share=0.0)
    rows = {key: select(found, draw) for key, found in sorted(by_split.items()) if found}
    return NewPairs(rows, placed, dropped, entries, settled)


def evaluation_texts(path: Path) -> Iterator[str]:
    """Both sides of a file that models are judged with: rows (.jsonl), or source, tab, target."""
    if path.suffix == ".jsonl":
        for row in read_rows(path):
            yield from (row.source, row.target)
        return
    for pair in general.read(path, ("", "")):  # a table has no names of languages
        yield from (pair.source_text, pair.target_text)


def _is_repeated(collected: CollectedPair, earlier: EarlierSnapshots) -> bool:
    """Whether an earlier snapshot has the machine's pair, or says that it was rejected."""
    pair_id = collected.pair.pair_id
    return isinstance(collected, ScoredPair) and (
        pair_id in earlier.pair_ids or pair_id in earlier.rejected
    )


def _leak(candidate: Candidate, judged_with: Mapping[str, Leakage]) -> str | None:
    """The name of what holds one of the pair's texts."""
    texts = (candidate.source_text, candidate.target_text)
    return next(
        (name for name, leakage in judged_with.items() if any(map(leakage.is_leaked, texts))), None
    )


def _candidate(collected: CollectedPair) -> Candidate:
    pair = collected.pair
    reviewed = collected if isinstance(collected, ReviewedPair) else None
    machine = reviewed.machine if reviewed else collected
    scored = machine if isinstance(machine, ScoredPair) else None
    return Candidate(
        pair_id=pair.pair_id,
        session_id=pair.session_id,
        segment_id=pair.segment_id,
        source_language=pair.source_language,
        target_language=pair.target_language,
        source_text=reviewed.source_text if reviewed else pair.source_text,
        target_text=reviewed.target_text if reviewed else pair.target_text,
        band=CORRECTED if reviewed or scored is None else scored.band.value,
        quality_score=scored.quality_score if scored else None,
        stt_confidence=scored.stt_confidence if scored else None,
        translation_qe=scored.translation_qe if scored else None,
        marian_agreement=scored.marian_agreement if scored else None,
        stt_model=pair.stt_model,
        mt_model=pair.mt_model,
        start_offset_ms=pair.start_offset_ms,
        end_offset_ms=pair.end_offset_ms,
        sequence=reviewed.sequence if reviewed else pair.sequence,
        decision=reviewed.decision if reviewed else None,
        revision=reviewed.revision if reviewed else 0,
    )


def _ids(entries: Iterable[Entry]) -> dict[str, list[str]]:
    by_stream: dict[str, list[str]] = {}
    for entry in entries:
        by_stream.setdefault(entry.stream, []).append(entry.entry_id)
    return by_stream
