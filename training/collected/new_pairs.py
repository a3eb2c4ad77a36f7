"""What becomes of the entries that a trainer was given: rows by split, and what is left out. Pure.

A pair of an earlier snapshot is written again only where people have put it right since; where they
took it back, that is named, like everything else that is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, TypeGuard

from services.collector.bands import Band
from services.collector.candidate import Candidate, Candidates
from services.collector.pair import Decision, Judged, ReviewedPair, ScoredPair
from services.collector.pair_keys import CORRECTED
from services.collector.reading import CollectedPair
from services.collector.row import Row
from services.collector.tiers import Draw, select
from training.collected.earlier_snapshots import REJECTED, WITHDRAWN, EarlierSnapshots
from training.collected.held_out import Place, Split, places
from training.collected.pair_streams import Entry
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
        takes_back: whether pairs of earlier snapshots are among those.
        entries: all that were delivered.
        settled: those that need no snapshot: stored or taken back before, or gone.
    """

    rows: Mapping[tuple[Languages, Split], Sequence[Row]]
    places: Mapping[str, Place]
    dropped: Mapping[str, Mapping[str, Sequence[str]]]
    takes_back: bool
    entries: Sequence[Entry]
    settled: Sequence[Entry]

    @property
    def is_empty(self) -> bool:
        """Whether a snapshot of it would say nothing that the earlier ones do not."""
        return not (any(self.rows.values()) or self.takes_back)

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
    draw = Draw(seed=seed, min_band=min_band, diversity_share=0.0, general_share=0.0)
    last = _last_words(entries)
    news = {
        pair_id: word
        for pair_id, word in last.items()
        if not (earlier.say(word) or _says_nothing(word, earlier, draw.bands))
    }
    candidates = Candidates()
    dates: dict[str, str] = {}
    settled = []
    for entry in entries:
        if entry.pair is None or entry.pair.pair.pair_id not in news:
            settled.append(entry)
            continue
        pair = entry.pair.pair
        candidates.add(_candidate(entry.pair))
        date = pair.time.astimezone(UTC).date().isoformat()
        dates[pair.session_id] = min(date, dates.get(pair.session_id, date))
    dropped: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for pair_id, word in sorted(news.items()):
        if not isinstance(word, ReviewedPair):
            continue
        if word.decision is Decision.REJECTED:
            dropped[REJECTED][word.pair.session_id].append(pair_id)
        elif word.decision is Decision.WITHDRAWN:
            machine = word.machine  # it was delivered with an earlier snapshot, or never
            if _goes_in(machine, draw.bands):
                candidates.add(_candidate(machine))
            else:
                dropped[WITHDRAWN][word.pair.session_id].append(pair_id)

    new = list(candidates)
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
    rows = {key: select(found, draw) for key, found in sorted(by_split.items()) if found}
    left_out = {each for sessions in dropped.values() for ids in sessions.values() for each in ids}
    takes_back = not left_out.isdisjoint(earlier.standing)
    return NewPairs(rows, placed, dropped, takes_back, entries, settled)


def _last_words(entries: Iterable[Entry]) -> dict[str, CollectedPair]:
    """Pair id to the newest decision about it, or to the machine's pair where there is none."""
    last: dict[str, CollectedPair] = {}
    for entry in entries:
        if entry.pair is None:
            continue
        known = last.get(entry.pair.pair.pair_id)
        if known is None or _age(entry.pair) > _age(known):
            last[entry.pair.pair.pair_id] = entry.pair
    return last


def _says_nothing(word: CollectedPair, earlier: EarlierSnapshots, bands: Collection[Band]) -> bool:
    """Whether it takes back what no snapshot has, of a pair that does not go in without it."""
    return (
        isinstance(word, ReviewedPair)
        and word.decision is Decision.WITHDRAWN
        and word.pair.pair_id not in earlier.standing
        and not _goes_in(word.machine, bands)
    )


def _goes_in(machine: Judged, bands: Collection[Band]) -> TypeGuard[ScoredPair]:
    """Whether a pair does without a person's word."""
    return isinstance(machine, ScoredPair) and machine.band in bands


def _age(collected: CollectedPair) -> int:
    return collected.revision if isinstance(collected, ReviewedPair) else 0


def _leak(candidate: Candidate, judged_with: Mapping[str, Leakage]) -> str | None:
    """The name of what has its session, or one of its texts."""
    said = (candidate.session_id, candidate.source_text, candidate.target_text)
    return next((name for name, leakage in judged_with.items() if leakage.bars(*said)), None)


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
