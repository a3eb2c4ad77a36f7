"""The three tiers: who gets in, who stays out, and that the seed alone decides."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.collector.bands import Band
from services.collector.candidate import Candidate, Candidates
from services.collector.diversity import MAX_WEIGHT
from services.collector.duplicates import NEAR_DUPLICATE_SIMILARITY, similarity
from services.collector.general import GeneralPair, read
from services.collector.pair import Decision
from services.collector.row import Row, Tier
from services.collector.tiers import Draw, select
from services.errors import InvalidInput
from tests.collector.candidates import candidate

WORDS = [
    "grace",
    "mercy",
    "peace",
    "truth",
    "faith",
    "hope",
    "love",
    "joy",
    "light",
    "bread",
    "water",
    "spirit",
    "river",
    "stone",
]
GENERAL = [
    GeneralPair(f"Everyday sentence {word} number {n}", f"Frase {word} {n}")
    for n, word in enumerate(WORDS * 5)
]


def sentence(number: int) -> str:
    return " ".join(random.Random(number).choices(WORDS, k=9)) + f" {number}"


def sermon(accepted: int, moderate: int) -> list[Candidate]:
    return [candidate(n, sentence(n)) for n in range(1, accepted + 1)] + [
        candidate(1000 + n, sentence(1000 + n), band="moderate", quality_score=0.75)
        for n in range(moderate)
    ]


def of_tier(rows: list[Row], tier: Tier) -> list[Row]:
    return [row for row in rows if row.tier is tier]


def texts(rows: list[Row]) -> list[str]:
    return [row.source_text for row in rows]


def decided(entry: Candidate, decision: Decision, revision: int = 1, **changes: str) -> Candidate:
    return candidate(
        entry.segment_id,
        changes.get("source_text", entry.source_text),
        target_text=changes.get("target_text", entry.target_text),
        band="corrected",
        decision=decision,
        revision=revision,
    )


def test_the_shares_are_those_asked_for() -> None:
    rows = select(sermon(100, 100), Draw(diversity_share=0.3, general_share=0.1), GENERAL)
    assert Counter(row.tier for row in rows) == {
        Tier.ACCEPTED: 100,
        Tier.DIVERSITY: 30,
        Tier.GENERAL: 14,  # of 144 a tenth
    }


def test_moderate_pairs_go_into_the_first_tier_when_they_may() -> None:
    rows = select(sermon(3, 4), Draw(min_band=Band.MODERATE))
    assert Counter(row.tier for row in rows) == {Tier.ACCEPTED: 7}


@pytest.mark.parametrize("share", [0.01, 0.049, 0.11, 1.0, -0.07, float("nan")])
def test_a_general_share_outside_of_its_bounds_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"0, or between 0\.05 and 0\.10"):
        Draw(general_share=share)


def test_bands_below_moderate_and_impossible_shares_are_refused() -> None:
    with pytest.raises(ValueError, match="without a person"):
        Draw(min_band=Band.REVIEW)
    with pytest.raises(ValueError, match="between 0 and 1"):
        Draw(diversity_share=1.5)


def test_a_person_s_word_stands_whatever_the_order() -> None:
    machine = [candidate(n, sentence(n)) for n in range(1, 5)]
    review = candidate(9, sentence(9), band="review")
    decisions = [
        decided(machine[0], Decision.FIXED, source_text="Put right by a person"),
        decided(machine[1], Decision.REJECTED),
        decided(machine[2], Decision.REJECTED),
        decided(machine[2], Decision.WITHDRAWN, revision=2),
        decided(machine[3], Decision.REJECTED),
        decided(machine[3], Decision.ACCEPTED, revision=2),
        decided(review, Decision.ACCEPTED),
    ]
    entries = machine + decisions
    for seed in range(10):
        candidates = Candidates()
        for entry in random.Random(seed).sample(entries, len(entries)):
            candidates.add(entry)
        found = {kept.segment_id: kept for kept in candidates}
        assert found[1].source_text == "Put right by a person"
        assert found[1].is_gold
        assert 2 not in found
        assert found[3] == machine[2]
        assert found[4].decision is Decision.ACCEPTED
        assert found[9].is_gold
        assert candidates.decisions() == {"accepted": 2, "fixed": 1, "rejected": 1, "withdrawn": 1}
        rows = select(candidates, Draw())
        assert {row.candidate.segment_id for row in rows if row.candidate} == {1, 3, 4, 9}


def test_repeats_share_their_weight_and_a_person_s_text_leads_them() -> None:
    text = "We walk by faith and not by sight, said the apostle to the Corinthians"
    rows = select(
        [
            candidate(1, text, quality_score=0.99),
            candidate(2, f"And {text}", quality_score=0.95),
            candidate(3, text, quality_score=0.5, band="corrected", decision=Decision.ACCEPTED),
            candidate(4, "Something else was said entirely"),
        ],
        Draw(),
    )
    repeats = [row for row in rows if row.cluster == rows[0].cluster]
    assert [row.candidate.segment_id for row in repeats if row.candidate] == [3, 1, 2]
    (alone,) = (row for row in rows if row not in repeats)
    assert all(row.weight < alone.weight for row in repeats)


def test_the_second_tier_takes_one_of_each_sentence_and_none_of_the_first() -> None:
    text = "We walk by faith and not by sight, said the apostle to the Corinthians"
    first = sermon(20, 0)
    moderate = [
        candidate(51, text, band="moderate", quality_score=0.71),
        candidate(52, text.upper(), band="moderate", quality_score=0.8),
        candidate(53, first[0].source_text + "!", band="moderate"),
    ]
    rows = select(first + moderate, Draw(diversity_share=1.0))
    (drawn,) = of_tier(rows, Tier.DIVERSITY)
    assert drawn.candidate == moderate[1]


def test_new_words_are_drawn_more_often() -> None:
    common = [candidate(100 + n, f"{sentence(n)} again", band="moderate") for n in range(2, 60)]
    new = [
        candidate(200 + n, f"zarephath{n} obadiah{n} shiloh{n} tekoa{n}", band="moderate")
        for n in range(20)
    ]
    accepted = [candidate(1000 + n, sentence(2000 + n)) for n in range(50)]
    drawn = [
        row.candidate.segment_id
        for seed in range(20)
        for row in of_tier(select(accepted + common + new, Draw(seed=seed)), Tier.DIVERSITY)
        if row.candidate
    ]
    assert len(drawn) == 20 * 10
    share = sum(segment_id >= 200 for segment_id in drawn) / len(drawn)
    assert share > 1.5 * len(new) / len(common + new)


def test_everyday_language_repeats_nothing_and_holds_nothing_that_is_held_out() -> None:
    accepted = sermon(30, 0)
    general = [
        GeneralPair(accepted[0].source_text.upper(), "again"),
        GeneralPair("Do not train on this sentence, please", "held out"),
        GeneralPair("Do not train on this sentence please!", "held out nearly"),
        *[GeneralPair("The one that may be taken", f"{n}") for n in range(5)],
    ]
    rows = select(
        accepted, Draw(general_share=0.1), general, ["do not train on this sentence please"]
    )
    assert texts(of_tier(rows, Tier.GENERAL)) == ["The one that may be taken"]


def test_what_is_held_out_is_in_no_tier() -> None:
    rows = select(
        sermon(10, 10), Draw(diversity_share=1), held_out=[sentence(3), sentence(1004).upper()]
    )
    kept = {row.candidate.segment_id for row in rows if row.candidate}
    assert 3 not in kept
    assert 1004 not in kept
    assert {2, 1003} <= kept


def test_another_seed_draws_other_rows_and_the_same_the_same() -> None:
    def drawn(seed: int) -> list[str]:
        return texts(select(sermon(40, 40), Draw(seed=seed), GENERAL)[40:])

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(WORDS[:5]), min_size=1, max_size=6).map(" ".join),
            st.sampled_from(["accept", "moderate"]),
            st.sampled_from([None, Decision.ACCEPTED, Decision.FIXED]),
        ),
        max_size=25,
    ),
    st.randoms(use_true_random=False),
)
def test_rows_are_bounded_and_tiers_are_apart_whatever_comes(
    entries: list[tuple[str, str, Decision | None]], random_: random.Random
) -> None:
    candidates = [
        candidate(n, text, band="corrected" if decision else band, decision=decision)
        for n, (text, band, decision) in enumerate(entries)
    ]
    rows = select(candidates, Draw(), GENERAL)
    assert rows == select(random_.sample(candidates, len(candidates)), Draw(), reversed(GENERAL))
    assert all(0.0 < row.weight <= MAX_WEIGHT for row in rows)
    accepted = texts(of_tier(rows, Tier.ACCEPTED))
    assert len(accepted) == sum(entry.is_gold or entry.band == "accept" for entry in candidates)
    diverse = texts(of_tier(rows, Tier.DIVERSITY))
    assert len(diverse) <= round(0.2 * len(accepted))
    for one in diverse + texts(of_tier(rows, Tier.GENERAL)):
        assert all(similarity(one, other) < 0.9 for other in accepted)
    assert NEAR_DUPLICATE_SIMILARITY < 0.9


def test_a_tsv_and_a_jsonl_file_are_read_alike(tmp_path: Path) -> None:
    tsv, jsonl = tmp_path / "pairs.tsv", tmp_path / "pairs.jsonl"
    tsv.write_text("One  sentence\tUna frase\tCC BY\n\nTwo\t\nThree\tTres\n", encoding="utf-8")
    lines = [
        {"en": "One  sentence", "es": "Una frase"},
        {"en": "Deux", "fr": "Deux"},
        {"en": "Three", "es": "Tres"},
    ]
    jsonl.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    expected = [GeneralPair("One  sentence", "Una frase"), GeneralPair("Three", "Tres")]
    assert list(read(tsv, ("en", "es"))) == list(read(jsonl, ("en", "es"))) == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pairs.tsv", b"one\ttwo\nthree\n", "line 2: no tab"),
        ("pairs.jsonl", b'{"en": "a", "es": "b"}\n{"en": \n', "line 2: "),
        ("pairs.jsonl", b"[1]\n", "line 1: not a JSON object"),
        ("pairs.jsonl", b'{"en": 1, "es": "b"}\n', "line 1: en and es must be texts"),
        ("pairs.tsv", b"a\tb\n\xff\t\xff\n", "pairs.tsv, line 2: "),
        ("pairs.csv", b"a,b\n", "neither .tsv"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        list(read(path, ("en", "es")))
