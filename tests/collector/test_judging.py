"""What is excluded and why, what is scored, and that an entry gives back what was put in it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.bands import BANDS, Band
from services.collector.calibration import Calibration, ConfidenceMap
from services.collector.entry import from_fields, to_fields
from services.collector.filters import EXCLUSION_REASONS, exclusion, length_ratio
from services.collector.judging import judge
from services.collector.pair import ExcludedPair, ScoredPair, Signal
from tests.collector.pairs import GOOD_PAIR, pair, signals


def scored(**changes: object) -> ScoredPair:
    judged = judge(pair(**changes))
    assert isinstance(judged, ScoredPair)
    return judged


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"compression_ratio": 2.41}, "compression_ratio"),
        ({"no_speech_prob": 0.61}, "no_speech"),
        ({"source_text": "Amen, — amen!"}, "too_few_words"),
        ({"source_text": "", "target_text": ""}, "too_few_words"),
        ({"target_text": "the River stands, at the edge of the field."}, "copied_through"),
        ({"target_text": "The river stands at the edge of the campo"}, "copied_through"),
        ({"target_text": "El río está"}, "length_ratio"),
        ({"target_text": "El río " * 20}, "length_ratio"),
        ({"target_text": ""}, "length_ratio"),
        ({"signals": signals(length_ratio=math.nan)}, "invalid_signal"),
        ({"signals": signals(translation_qe=1.5)}, "invalid_signal"),
        ({"avg_logprob": math.nan}, "invalid_signal"),
        ({"no_speech_prob": math.nan}, "invalid_signal"),
        ({"compression_ratio": math.nan}, "invalid_signal"),
        ({"signals": (), "avg_logprob": None}, "no_signals"),
    ],
)
def test_excludes_with_a_stable_reason(changes: dict[str, object], reason: str) -> None:
    judged = judge(pair(**changes))
    assert isinstance(judged, ExcludedPair)
    assert judged.reason == reason
    assert reason in EXCLUSION_REASONS


@pytest.mark.parametrize(
    "changes",
    [
        {"compression_ratio": 2.4},
        {"no_speech_prob": 0.6},
        {"compression_ratio": None, "no_speech_prob": None},
        {"source_text": "Let us pray", "target_text": "Oremos ahora"},
        {"source_text": "x" * 2 + " y z" * 2, "target_text": "a" * 20},
        {"source_text": "Paul saw Silas there", "target_text": "Paul vio allí a Silas"},
    ],
)
def test_keeps_what_is_at_a_limit_or_not_measured(changes: dict[str, object]) -> None:
    assert exclusion(pair(**changes)) is None


def test_length_is_counted_in_composed_characters() -> None:
    assert length_ratio(" año ", "an\u0303os") == pytest.approx(4 / 3)


def test_a_pair_with_every_signal_is_accepted() -> None:
    judged = scored()
    assert judged.band is Band.ACCEPT
    assert judged.translation_qe == 0.9
    assert judged.marian_agreement == 0.95


def test_rules_alone_never_accept_and_are_never_called_quality_estimation() -> None:
    judged = scored(signals=signals(heuristic_quality=1.0), avg_logprob=0.0)
    assert judged.quality_score > 0.95
    assert judged.band is Band.MODERATE
    assert judged.translation_qe is None
    assert judged.marian_agreement is None


def test_an_unset_signal_is_missing_and_not_zero() -> None:
    unset = scored(signals=signals(translation_qe=None, heuristic_quality=0.9))
    assert unset.quality_score == scored(signals=signals(heuristic_quality=0.9)).quality_score


def test_a_pair_that_nobody_could_score_is_for_review_at_most() -> None:
    assert scored(signals=(), avg_logprob=0.0).band is Band.REVIEW


@pytest.mark.parametrize(
    ("changes", "cap"),
    [
        ({"negation_parity": 0.0}, "negation"),
        ({"number_parity": 0.9}, "number"),
        ({"bible_references": 0.5}, "number"),
        ({"glossary_terms": 0.5}, "missing_term"),
        ({"repetition": 0.4}, "doubtful_translation"),
    ],
)
def test_a_rule_that_fails_keeps_a_pair_from_being_accepted(
    changes: dict[str, float], cap: str
) -> None:
    good = {"translation_qe": 1.0, "marian_agreement": 1.0}
    passed = scored(signals=signals(**good, **dict.fromkeys(changes, 1.0)))
    failed = scored(signals=signals(**good, **changes))
    assert (passed.band, passed.caps) == (Band.ACCEPT, ())
    assert (failed.band, failed.caps) == (Band.MODERATE, (cap,))
    assert failed.quality_score == passed.quality_score


@pytest.mark.parametrize(
    ("changes", "cap"),
    [
        ({"flags": ("low_confidence",)}, "doubtful_speech"),
        ({"flags": ("no_speech",)}, "doubtful_speech"),
        ({"flags": ("repetition",)}, "doubtful_speech"),
        ({"flags": ("second_pass",)}, "doubtful_speech"),
        ({"flags": ("runaway",)}, "doubtful_translation"),
        ({"flags": ("copied",)}, "doubtful_translation"),
        ({"flags": ("shed",)}, "doubtful_translation"),
        ({"flags": ("truncated_source",)}, "doubtful_translation"),
        ({"flags": ("of_a_later_version",)}, "doubtful_translation"),
        ({"flags": ("missing_term",)}, "missing_term"),
        ({"missing_terms": (("grace", "gracia"),)}, "missing_term"),
    ],
)
def test_a_doubt_of_stt_or_mt_keeps_a_pair_from_being_accepted(
    changes: dict[str, object], cap: str
) -> None:
    assert scored().band is Band.ACCEPT
    doubtful = scored(**changes)
    assert (doubtful.band, doubtful.caps) == (Band.MODERATE, (cap,))


def test_a_rule_that_measured_nothing_caps_nothing() -> None:
    unset = dict.fromkeys(("negation_parity", "number_parity", "bible_references"))
    judged = scored(signals=signals(translation_qe=0.9, marian_agreement=0.95, **unset))
    assert (judged.band, judged.caps) == (Band.ACCEPT, ())


def test_a_calibration_moves_the_score_and_is_named() -> None:
    doubting = Calibration(schema_version=1, stt={"rule": ConfidenceMap(((0.0, 0.0), (1.0, 0.5)))})
    plain = scored()
    judged = judge(GOOD_PAIR, calibration=doubting)
    assert isinstance(judged, ScoredPair)
    assert plain.stt_confidence is not None
    assert judged.stt_confidence == pytest.approx(plain.stt_confidence / 2)
    assert judged.quality_score < plain.quality_score
    assert (plain.calibration, judged.calibration) == ("", doubting.id)


RULES = ("negation_parity", "number_parity", "bible_references", "glossary_terms", "repetition")
SIGNALS = ("translation_qe", "marian_agreement", "heuristic_quality", *RULES)


@given(
    st.dictionaries(st.sampled_from(SIGNALS), st.floats(0, 1)),
    st.sampled_from(SIGNALS),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.tuples(st.floats(-1, 0), st.floats(-1, 0)),
    st.booleans(),
)
def test_a_better_signal_never_gives_a_worse_judgement(
    values: dict[str, float],
    name: str,
    range_: tuple[float, float],
    logprobs: tuple[float, float],
    is_calibrated: bool,
) -> None:
    calibration = Calibration(
        schema_version=1,
        stt={"rule": ConfidenceMap(((0.1, 0.05), (0.5, 0.2), (0.6, 0.9)))} if is_calibrated else {},
    )

    def scored_with(value: float, avg_logprob: float) -> ScoredPair:
        measured = signals(**values | {name: value})
        found = judge(pair(signals=measured, avg_logprob=avg_logprob), calibration=calibration)
        assert isinstance(found, ScoredPair)
        return found

    worse = scored_with(min(range_), min(logprobs))
    better = scored_with(max(range_), max(logprobs))
    assert better.quality_score >= worse.quality_score
    assert BANDS.index(better.band) <= BANDS.index(worse.band)
    assert set(better.caps) <= set(worse.caps)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.builds(
        replace,
        st.just(GOOD_PAIR),
        source_text=TEXT,
        target_text=TEXT,
        session_id=TEXT,
        signals=st.lists(st.builds(Signal, TEXT, st.none() | st.floats(0, 1), TEXT)).map(tuple),
        avg_logprob=NUMBER,
        no_speech_prob=NUMBER,
        compression_ratio=NUMBER,
    ),
    st.sampled_from(Band),
    st.floats(0, 1),
    st.tuples(NUMBER, NUMBER, NUMBER),
)
def test_an_entry_gives_back_what_was_put_in(
    a_pair: object, band: Band, score: float, terms: tuple[float | None, ...]
) -> None:
    before = ScoredPair(a_pair, band, score, *terms)  # type: ignore[arg-type]
    assert from_fields(to_fields(before)) == before


@pytest.mark.parametrize("damage", ["sequence", "signals", "band", "time"])
def test_an_entry_of_someone_else_is_refused(damage: str) -> None:
    fields = to_fields(scored())
    with pytest.raises(ValueError, match=r".+"):
        from_fields(fields | {damage: "?"})
    del fields[damage]
    with pytest.raises(ValueError, match=damage):
        from_fields(fields)
