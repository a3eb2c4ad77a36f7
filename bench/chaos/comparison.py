"""Whether anything is lost or doubled: one session in journal, viewers and Redis, as sets."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from bench.chaos.sermon import Spoken
from bench.chaos.verdict import Losses
from bench.chaos.viewers import Final, Sight
from cli.ledger import Collected, Ledger
from services.audio import ms_to_samples

_NAMED_AT_MOST = 5


def compare(
    ledger: Ledger,
    sights: Mapping[str, Sight],
    queued_pair_ids: Sequence[str],
    collected: Collected,
    *,
    spoken: Sequence[Spoken],
    announced_finals: int,
    targets: tuple[str, ...],
) -> Losses:
    """What became of a session that has ended.

    A final is named by its sequence, which is the journal's for every observer. Lost is a sentence
    that no final covers, a final that the gateway announced and the journal has not, audio that
    became a gap, a final without its translation, one that a viewer did not get, and one that a
    viewer got and the journal does not know.

    Args:
        queued_pair_ids: the session's, of all bands, as Redis has them.
        announced_finals: what the speaker was told at the end.
    """
    lost: list[str] = []
    finals_lost = 0

    def lose(count: int, line: str) -> None:
        nonlocal finals_lost
        if count > 0:
            finals_lost += count
            lost.append(line)

    unheard = [each for each in spoken if not each.is_covered(ledger.spans_ms)]
    lose(
        len(unheard),
        f"no final covers the sentences at {_some(each.start_ms / 1000 for each in unheard)} s",
    )
    lose(announced_finals - len(ledger.finals), "finals that were announced are not journalled")
    lose(bool(ledger.gap_samples), f"{ledger.gap_samples} samples of audio became a gap")
    wanted = {(segment, target) for segment in ledger.finals for target in targets}
    lose(
        len(wanted - ledger.translated),
        f"not translated: segments {_some(sorted(wanted - ledger.translated))}",
    )
    journalled = set(ledger.captions)
    finals_doubled = len(ledger.captions) - len(set(ledger.captions.values()))
    for name, sight in sights.items():
        shown = set(sight.sequences)
        lose(
            len(journalled - shown),
            f"the {name} viewer misses sequences {_some(sorted(journalled - shown))}",
        )
        lose(
            len(shown - journalled),
            f"the {name} viewer has sequences that the journal has not: "
            f"{_some(sorted(shown - journalled))}",
        )
        finals_doubled += sum(count - 1 for count in sight.sequences.values())
    pairs_lost, pairs_doubled, pair_lines = _compare_pairs(
        ledger, queued_pair_ids, collected, wanted
    )
    return Losses(
        finals=len(journalled),
        finals_lost=finals_lost,
        finals_doubled=finals_doubled,
        pairs=len(wanted),
        pairs_lost=pairs_lost,
        pairs_doubled=pairs_doubled,
        lost=(*lost, *pair_lines),
    )


def _compare_pairs(
    ledger: Ledger, queued_pair_ids: Sequence[str], collected: Collected, wanted: set[Final]
) -> tuple[int, int, list[str]]:
    """Pairs lost, pairs doubled, and what to say of them.

    Excluded pairs are counted in Redis and not kept there: as many ids may be missing.
    """
    ids = {f"{ledger.session_id}/{segment}/{language}" for segment, language in wanted}
    queued = Counter(queued_pair_ids)
    excluded = collected.pairs.get("excluded", 0)
    lost = max(0, len(ids - set(queued)) - excluded)
    doubled = sum(queued.values()) - len(queued) + max(0, sum(collected.pairs.values()) - len(ids))
    lines = []
    if lost:
        lines.append(f"pairs that Redis has not: {_some(sorted(ids - set(queued)))}")
    if unknown := set(queued) - ids:
        lines.append(f"pairs in Redis that the journal has not: {_some(sorted(unknown))}")
        doubled += len(unknown)
    return lost, doubled, lines


def lateness_s(
    sight: Sight, sent_at_s: Callable[[int], float | None], since_s: float
) -> float | None:
    """How much later than usual the latest final was shown; None with too few to tell.

    Args:
        sent_at_s: when a sample was sent, of time.monotonic().
        since_s: the fault began then; what was shown before is the usual.
    """
    usual_s: list[float] = []
    after_s: list[float] = []
    for final, shown_at_s in sight.shown_at_s.items():
        spoken_at_s = sent_at_s(ms_to_samples(sight.end_offsets_ms[final]))
        if spoken_at_s is not None:
            (usual_s if shown_at_s < since_s else after_s).append(shown_at_s - spoken_at_s)
    if not usual_s or not after_s:
        return None
    return max(0.0, max(after_s) - statistics.median(usual_s))


def _some(values: object) -> str:
    listed = list(values)  # type: ignore[call-overload]
    more = f" and {len(listed) - _NAMED_AT_MOST} more" if len(listed) > _NAMED_AT_MOST else ""
    return ", ".join(str(value) for value in listed[:_NAMED_AT_MOST]) + more
