"""The comparison behind `./glossa chaos`: it finds what is missing, and what came twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from bench.chaos.comparison import compare, lateness_s
from bench.chaos.sermon import Spoken
from bench.chaos.verdict import Losses, Recovery, Verdict, as_json
from bench.chaos.viewers import Sight
from cli.ledger import Collected, Ledger
from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2

_SESSION = "session"
_SENTENCES = 3
_SENTENCE_MS = 4000


class Observed:
    """A session of three sentences as all see it when nothing is lost; a test then spoils it."""

    def __init__(self) -> None:
        self.ledger = Ledger(_SESSION)
        for event in _events():
            self.ledger._take(event)
        self.sights = {name: _sight(self.ledger) for name in ("gRPC", "WebSocket")}
        self.queued = [f"{_SESSION}/{segment}/es" for segment in range(1, _SENTENCES + 1)]
        self.collected = Collected(99, {"accept": _SENTENCES, "excluded": 0})
        self.announced = _SENTENCES

    def losses(self) -> Losses:
        return compare(
            self.ledger,
            self.sights,
            self.queued,
            self.collected,
            spoken=[
                Spoken(number * _SENTENCE_MS, (number + 1) * _SENTENCE_MS)
                for number in range(_SENTENCES)
            ],
            announced_finals=self.announced,
            targets=("es",),
        )


def _events() -> list[gateway_pb2.JournalEvent]:
    events = []
    for segment in range(1, _SENTENCES + 1):
        start_ms = (segment - 1) * _SENTENCE_MS
        events += [
            gateway_pb2.JournalEvent(
                transcript=types_pb2.Transcript(
                    segment_id=segment,
                    language="en",
                    start_offset_ms=start_ms + 700,
                    end_offset_ms=start_ms + 3000,
                )
            ),
            gateway_pb2.JournalEvent(
                translation=types_pb2.Translation(segment_id=segment, language="es")
            ),
        ]
    for sequence, event in enumerate(events, start=1):
        event.sequence = sequence
    return events


def _sight(ledger: Ledger) -> Sight:
    sight = Sight()
    for sequence, final in ledger.captions.items():
        sight.take(sequence, final, 3000)
    return sight


def _unseen_by_the_web_socket(observed: Observed) -> None:
    del observed.sights["WebSocket"].sequences[4]


def _shown_and_not_journalled(observed: Observed) -> None:
    observed.sights["gRPC"].take(77, (9, "en"), 3000)


def _announced_and_not_journalled(observed: Observed) -> None:
    observed.announced += 1


def _a_sentence_without_a_final(observed: Observed) -> None:
    del observed.ledger.spans_ms[1]


def _audio_that_became_a_gap(observed: Observed) -> None:
    observed.ledger.gap_samples = 1600


def _a_final_without_its_translation(observed: Observed) -> None:
    observed.ledger.translated.clear()


@pytest.mark.parametrize(
    "spoil",
    [
        _unseen_by_the_web_socket,
        _shown_and_not_journalled,
        _announced_and_not_journalled,
        _a_sentence_without_a_final,
        _audio_that_became_a_gap,
        _a_final_without_its_translation,
    ],
)
def test_what_an_observer_misses_is_lost(spoil: Callable[[Observed], None]) -> None:
    observed = Observed()
    assert observed.losses().finals_lost == 0
    spoil(observed)
    losses = observed.losses()
    assert losses.finals_lost >= 1
    assert losses.lost


def test_nothing_is_lost_or_doubled_when_all_have_the_same() -> None:
    losses = Observed().losses()
    assert losses == Losses(finals=2 * _SENTENCES, pairs=_SENTENCES)


def test_a_final_that_a_viewer_got_twice_is_doubled() -> None:
    observed = Observed()
    observed.sights["gRPC"].take(1, (1, "en"), 3000)
    assert observed.losses().finals_doubled == 1


def test_a_segment_that_was_journalled_twice_is_doubled() -> None:
    observed = Observed()
    observed.ledger.captions[50] = (1, "en")
    for sight in observed.sights.values():
        sight.take(50, (1, "en"), 3000)
    assert observed.losses().finals_doubled == 1


def test_a_pair_that_redis_has_not_is_lost_unless_it_was_excluded() -> None:
    observed = Observed()
    observed.queued.pop()
    assert observed.losses().pairs_lost == 1
    observed.collected = Collected(99, {"accept": _SENTENCES - 1, "excluded": 1})
    assert observed.losses().pairs_lost == 0


def test_a_pair_that_redis_has_twice_is_doubled() -> None:
    observed = Observed()
    observed.queued.append(observed.queued[0])
    assert observed.losses().pairs_doubled == 1


def test_lateness_is_what_the_latest_final_took_beyond_the_usual() -> None:
    sight = Sight(
        shown_at_s={(1, "en"): 12.0, (2, "en"): 22.0, (3, "en"): 37.0},
        end_offsets_ms={(1, "en"): 10_000, (2, "en"): 20_000, (3, "en"): 30_000},
    )
    assert lateness_s(sight, lambda sample: sample / 16_000, since_s=25.0) == pytest.approx(5.0)
    assert lateness_s(sight, lambda sample: sample / 16_000, since_s=40.0) is None


def test_the_figures_of_all_are_the_sums_and_the_longest_recovery() -> None:
    verdicts = [
        Verdict("a", losses=Losses(finals=4, finals_lost=1), recoveries=(Recovery("x", 2.0, 5.0),)),
        Verdict("b", losses=Losses(finals=6, pairs_doubled=2)),
        Verdict("c", skipped="no root"),
    ]
    figures = as_json(verdicts, seed=7)
    assert (figures["finals"], figures["finals_lost"], figures["pairs_doubled"]) == (10, 1, 2)
    assert figures["recovery_s"] == 2.0
    assert figures["faults"]["c"] == {"skipped": "no root"}
    assert not verdicts[0].is_good
    assert not verdicts[1].is_good
    assert dataclasses.replace(verdicts[1], losses=Losses()).is_good
