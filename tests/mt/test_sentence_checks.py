"""What each check of a sentence finds, and which failure misleads more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.mt.engine import LanguagePair
from services.mt.sentence_checks import (
    LEAST_LOG_PROBABILITY,
    LEAST_LOG_PROBABILITY_OF_A_DRAFT,
    WORST_FIRST,
    Check,
    Sentence,
    badness,
    failed,
)

EN_ES = LanguagePair("en", "es")
RIGHT = Sentence("The Lord is my shepherd.", "El Señor es mi pastor.", EN_ES, -0.2)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Jesus wept.", "Jesús lloró."),
        ("jesus wept", "jesús lloró"),
        ("Turn to John 3:16.", "Abran en Juan 3:16."),
        ("turn to john chapter three verse sixteen", "abran en juan capítulo 3 versículo 16"),
        ("On the twelfth day 1,000 came.", "En el duodécimo día vinieron 1.000."),
        ("He did not come.", "No vino."),
        ("Holy, holy, holy!", "¡Santo, santo, santo!"),
        (
            "Write to pray@example.org or see www.Example.org/give?to=roof.",
            "Escriban a pray@example.org o vean www.example.org/give?to=roof.",
        ),
        ("He came at 5 p.m. with Mr.Smith.", "Vino a las 5 p.m. con el Sr.Smith."),
        (
            "Then he said amen.and they all went home.",
            "Entonces dijo amén y todos se fueron a casa.",
        ),
        ("Amen.", "Amén."),
        ("", ""),
    ],
)
def test_a_right_translation_fails_nothing(source: str, target: str) -> None:
    assert failed(Sentence(source, target, EN_ES, -0.3)) == (() if source else ("empty",))


@pytest.mark.parametrize(
    ("source", "target", "check"),
    [
        ("God is love.", "", "empty"),
        ("God is good to us.", "Dios es bueno " * 9, "runaway"),
        ("We went into the big city.", "Fuimos a la a la ciudad grande.", "runaway"),
        ("we walk by faith and not by sight", "we walk by faith and no by sight", "copied"),
        ("Read verse sixteen.", "Lean el versículo diecisiete.", "number"),
        ("They had 300 men.", "Tenían hombres.", "number"),
        ("Open your Bible to John 3:16.", "Abran la Biblia en 3:16.", "reference"),
        ("Go to www.example.org today.", "Vaya hoy a wwexample.or.", "address"),
        ("go to example.org/give", "vaya a example.org", "address"),
        ("See WWW.EXAMPLE.ORG today.", "Vea WW.EXAMPLE.OR hoy.", "address"),
        ("Write to prayer@example.org.", "Escriba a prayer@example.or.", "address"),
        ("He did not come.", "Vino.", "negation"),
        ("He came.", "No vino.", "negation"),
        ("Then Peter answered.", "Entonces respondió.", "name"),
        ("then peter answered", "entonces respondió", "name"),
        ("He came home late in the evening because it rained.", "Vino a casa.", "length"),
    ],
)
def test_each_fault_has_its_name(source: str, target: str, check: Check) -> None:
    assert check in failed(Sentence(source, target, EN_ES, -0.3))


def test_a_missing_term_an_unknown_word_and_a_cut_off_end_are_told() -> None:
    assert failed(RIGHT) == ()
    assert failed(replace(RIGHT, missing_terms=1)) == ("term",)
    assert failed(replace(RIGHT, unknown_words=("quux",))) == ("unknown",)
    assert failed(replace(RIGHT, unknown_words=("Kowalczyk", "2nd"))) == ()
    assert failed(replace(RIGHT, is_cut_off=True)) == ("runaway",)


def test_what_the_glossary_renders_is_no_lost_name() -> None:
    sentence = Sentence("We are at Mount Zion.", "Estamos en el monte santo.", EN_ES)
    assert failed(sentence) == ("name",)
    assert failed(replace(sentence, terms=("Mount Zion",))) == ()


def test_a_sentence_is_unlikely_below_the_threshold_a_draft_below_a_lower_one() -> None:
    between = (LEAST_LOG_PROBABILITY + LEAST_LOG_PROBABILITY_OF_A_DRAFT) / 2
    assert failed(replace(RIGHT, log_probability=LEAST_LOG_PROBABILITY)) == ()
    assert failed(replace(RIGHT, log_probability=between)) == ("unlikely",)
    assert failed(replace(RIGHT, log_probability=between, is_unfinished=True)) == ()
    assert failed(replace(RIGHT, log_probability=-9.0, is_unfinished=True)) == ("unlikely",)
    assert failed(replace(RIGHT, log_probability=None)) == ()


def test_a_sentence_that_is_still_spoken_may_be_short() -> None:
    sentence = Sentence("He came home late because of the rain and", "Llegó tarde", EN_ES)
    assert failed(sentence) == ("length",)
    assert failed(replace(sentence, is_unfinished=True)) == ()


def test_other_languages_are_checked_for_what_is_known_of_them() -> None:
    french = Sentence("Peter had 3 fish.", "Il avait 4 poissons.", LanguagePair("en", "fr"))
    assert failed(french) == ("number",)


def test_the_worst_failure_counts_first_then_how_many_there_are() -> None:
    from_best = sorted(WORST_FIRST, key=lambda check: badness((check,)))
    assert tuple(reversed(from_best)) == WORST_FIRST
    assert badness(()) < badness(("length",)) < badness(("name", "length")) < badness(("number",))
    assert badness(("unlikely",)) > badness(("number", "negation", "term", "name"))
