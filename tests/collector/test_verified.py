"""Lines of an export: what counts as good, which line stands, and what is refused by its number."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.collector.caps import caps
from services.collector.composite import stt_confidence
from services.collector.verified import VerifiedPair, read_exported, read_verified


def line(**changes: Any) -> bytes:
    fields = {
        "pair_id": "s/1/es",
        "session_id": "s",
        "source_language": "en",
        "target_language": "es",
        "en": "The river stands still",
        "es": "El río está quieto",
        "original_source_text": "The river stands still",
        "original_target_text": "El río está quieto",
        "stt_model": "rule/stt",
        "avg_logprob": -0.1,
        "translation_qe": 0.8,
        "marian_agreement": 0.7,
        "signals": {"number_parity": 1.0, "back_translation": None},
        "flags": [],
        "missing_terms": [],
        "decision": "accepted",
        "review_revision": 1,
    }
    return json.dumps(fields | changes).encode() + b"\n"


def one(**changes: Any) -> VerifiedPair:
    (pair,) = read_verified([line(**changes)])
    return pair


@pytest.mark.parametrize(
    ("changes", "is_good", "is_source_right"),
    [
        ({}, True, True),
        ({"decision": "rejected"}, False, False),
        ({"decision": "fixed", "en": "the river, stands still!"}, True, True),
        ({"decision": "fixed", "es": "El río, está quieto."}, True, True),
        ({"decision": "fixed", "en": "The river stood still"}, False, False),
        ({"decision": "fixed", "es": "El rio está quieto"}, False, True),
        ({"decision": None, "is_good": True}, True, True),
        ({"decision": None, "is_good": False}, False, None),
        ({"decision": None, "is_good": False, "is_source_right": True}, False, True),
        ({"decision": "rejected", "is_good": True}, True, True),
    ],
)
def test_a_pair_is_good_when_no_word_was_changed(
    changes: dict[str, Any], is_good: bool, is_source_right: bool | None
) -> None:
    pair = one(**changes)
    assert (pair.is_good, pair.is_source_right) == (is_good, is_source_right)


def test_reads_what_the_pair_was_judged_by() -> None:
    found = one(signals={"number_parity": 0.5, "heuristic_quality": 0.4}, flags=["shed"])
    assert found.pair.stt_model == "rule/stt"
    assert found.pair.measured.stt_confidence == stt_confidence(-0.1)
    assert found.pair.measured.translation_qe == 0.8
    assert found.pair.measured.heuristic_quality == 0.4
    assert found.pair.caps == caps({"number_parity": 0.5}, ["shed"], [])


def test_undecided_and_withdrawn_pairs_are_passed_over() -> None:
    assert read_verified([line(decision=None), line(pair_id="2", decision="withdrawn")]) == []


def test_the_newest_decision_stands_wherever_it_is_in_the_file() -> None:
    first, second = line(review_revision=1), line(review_revision=2, decision="rejected")
    for lines in ([first, second], [second, first]):
        (pair,) = read_verified(lines)
        assert not pair.is_good


def test_an_export_of_bands_has_each_pair_once_and_needs_no_decision() -> None:
    lines = [line(decision=None), b"\n", line(decision=None), line(decision=None, pair_id="2")]
    assert [pair.pair_id for pair in read_exported(lines)] == ["s/1/es", "2"]


@pytest.mark.parametrize(
    ("bad", "place"),
    [
        (b"no json\n", "not JSON"),
        (b"\xff\n", "not JSON"),
        (b"[]\n", "not a JSON object"),
        (line(session_id=""), "session_id"),
        (line(avg_logprob=float("nan")), "avg_logprob"),
        (line(avg_logprob=float("-inf")), "avg_logprob"),
        (line(translation_qe=float("nan")), "translation_qe"),
        (line(translation_qe=1.1), "translation_qe"),
        (line(signals={"number_parity": -0.1}), "signals.number_parity"),
        (line(decision="maybe"), "decision"),
        (line(decision="fixed", original_target_text=None), "original_target_text"),
    ],
)
def test_refuses_a_line_by_its_number(bad: bytes, place: str) -> None:
    with pytest.raises(ValueError, match="line 3: ") as refusal:
        read_verified([line(pair_id="1"), b"\n", bad])
    assert place in str(refusal.value)
