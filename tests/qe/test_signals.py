"""The pure signals: what they find, and what holds for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import parity
from services.qe import signals

REFERENCE_LIKE = (
    "John Juan first 1 I Psalm Salmo Romanos Romans chapter capítulo verse versículo three tres "
    "sixteen dieciséis 3:16 3,16 : , . of the de la los segunda carta to a 119 second"
)
texts = st.text(max_size=80) | st.text(alphabet="abcñé 0123456789.,:'’-²٣\n", max_size=80)
NUMBER_LIKE = (
    "one two twenty thirty hundred thousand million and five the "
    "uno dos y mil millones treinta cien once 3:16 1,000"
)
spoken = st.lists(
    st.sampled_from(NUMBER_LIKE.split()) | st.sampled_from(REFERENCE_LIKE.split()), max_size=12
).map(" ".join)
terms = st.lists(st.sampled_from([("grace", "gracia"), ("law", "ley"), ("ark", "arca")]))
languages = st.sampled_from(["en", "es", "fr", ""])


@given(texts | spoken, texts | spoken, languages, languages)
def test_every_signal_is_missing_or_between_0_and_1(
    source: str, target: str, source_language: str, target_language: str
) -> None:
    for value in (
        signals.length_ratio(source, target),
        signals.copied_through(source, target),
        parity.number_parity(source, target, source_language, target_language),
        parity.negation_parity(source, target, source_language, target_language),
        parity.bible_references(source, target, source_language, target_language),
        signals.repetition(source, target),
    ):
        assert value is None or 0.0 <= value <= 1.0  # NaN would fail here


@given(texts | spoken, languages)
def test_a_text_agrees_with_itself_but_counts_as_copied(text: str, language: str) -> None:
    assert signals.length_ratio(text, text) in (None, 1.0)
    assert signals.copied_through(text, text) in (None, 0.0)
    assert parity.number_parity(text, text, language, language) == 1.0
    assert parity.negation_parity(text, text, language, language) in (None, 1.0)
    assert parity.bible_references(text, text, language, language) in (None, 1.0)
    assert signals.repetition(text, text) == 1.0


@given(texts | spoken, texts | spoken, languages, languages)
def test_parities_and_lengths_do_not_depend_on_the_direction(
    one: str, other: str, its_language: str, other_language: str
) -> None:
    assert signals.length_ratio(one, other) == signals.length_ratio(other, one)
    for shared in (parity.number_parity, parity.negation_parity, parity.bible_references):
        assert shared(one, other, its_language, other_language) == shared(
            other, one, other_language, its_language
        )


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("chapter three verse sixteen", "capítulo 3, versículo 16"),
        ("John 3:16", "Juan tres dieciséis"),
        ("twenty one", "veintiuno"),
        ("thirty three years", "treinta y tres años"),
        ("two hundred and five", "doscientos cinco"),
        ("one hundred forty four thousand", "144.000"),
        ("five thousand men", "cinco mil hombres"),
        ("one billion", "mil millones"),
        ("1,000 talents", "1.000 talentos"),
        ("3.5", "3,5"),
        ("3 percent", "3 por ciento"),
        ("one man and a house", "un hombre y una casa"),
        ("once upon a time", "había una vez"),
        ("five and six", "cinco y seis"),
        ("twice as big", "el doble de grande"),
        ("We met twice.", "Nos vimos dos veces."),
        ("no numbers", "sin números"),
    ],
)
def test_the_same_numbers_agree_however_they_are_written(source: str, target: str) -> None:
    assert parity.number_parity(source, target, "en", "es") == 1.0


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("three days", "cuatro días", 0.0),
        ("forty days", "días", 0.0),
        ("forty days and forty nights", "cuarenta días y noches", 2 / 3),
        ("days", "11 días", 0.0),
        ("12 and 70", "doce y setenta", 1.0),
        ("twice", "tres veces", 0.0),
    ],
)
def test_lost_and_changed_numbers_are_seen(source: str, target: str, expected: float) -> None:
    assert parity.number_parity(source, target, "en", "es") == pytest.approx(expected)


def test_number_words_of_an_unknown_language_are_not_guessed() -> None:
    assert parity.number_parity("three days", "trois jours", "en", "fr") == 1.0
    assert parity.number_parity("3 days", "4 jours", "en", "fr") == 0.0


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("he did not come", "no vino", 1.0),
        ("he didn't come", "vino", 0.0),
        ("he didn’t come", "vino", 0.0),
        ("he didnt come", "no vino", 1.0),
        ("nobody came", "no vino nadie", 1.0),
        ("you shall never die", "morirás", 0.0),
        ("he came", "nunca vino", 0.0),
        ("without faith", "sin fe", 1.0),
        ("our sin", "nuestro pecado", 1.0),
        ("I cannot", "puedo", 0.0),
    ],
)
def test_a_lost_or_added_negation_is_seen(source: str, target: str, expected: float) -> None:
    assert parity.negation_parity(source, target, "en", "es") == expected


def test_negation_without_a_word_list_is_missing() -> None:
    assert parity.negation_parity("he did not come", "il n'est pas venu", "en", "fr") is None


def test_copied_words_are_told_from_translated_ones() -> None:
    assert signals.copied_through("the house is red", "la casa es roja") == 1.0
    assert signals.copied_through("the House is red", "The house is red") == 0.0
    assert signals.copied_through("repentance is more", "repentance es más") == pytest.approx(2 / 3)
    assert signals.copied_through("...", "...") is None


def test_lengths_are_compared_without_spaces() -> None:
    assert signals.length_ratio("ab cd", "abcd") == 1.0
    assert signals.length_ratio("ab", "abcd") == 0.5
    assert signals.length_ratio(" ", "abcd") is None


@given(terms, terms)
def test_the_share_of_terms_is_missing_or_between_0_and_1(
    required: list[tuple[str, str]], missing: list[tuple[str, str]]
) -> None:
    share = signals.glossary_terms(required, missing)
    assert (share is None) == (not required)
    assert share is None or 0.0 <= share <= 1.0
    assert signals.glossary_terms(required, []) in (None, 1.0)
    assert signals.glossary_terms(required, required) in (None, 0.0)


def test_the_share_of_required_terms_that_stand_there_is_counted() -> None:
    grace, law = ("grace", "gracia"), ("law", "ley")
    assert signals.glossary_terms([grace, law], [law]) == 0.5
    assert signals.glossary_terms([grace], [law]) == 1.0


LOOP = "y la gracia de Dios " * 6


@pytest.mark.parametrize(
    ("source", "target", "least", "most"),
    [
        ("The grace of God is enough.", "La gracia de Dios es suficiente.", 1.0, 1.0),
        ("The grace of God", LOOP, 0.0, 0.25),
        ("and the grace of God " * 6, LOOP, 1.0, 1.0),
        ("Holy, holy, holy", "Santo, santo, santo", 1.0, 1.0),
        ("no", "no no no no no no no no no no no no", 0.0, 0.15),
        ("", "", 1.0, 1.0),
        # It says one clause again, as people do: no loop.
        ("He is good.", "Él es bueno, digo, Él es bueno, digo que es bueno.", 0.5, 1.0),
    ],
)
def test_loops_that_the_source_does_not_have_are_seen(
    source: str, target: str, least: float, most: float
) -> None:
    assert least <= signals.repetition(source, target) <= most


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("first John chapter three verse sixteen", "Primera de Juan 3:16", 1.0),
        ("Read Romans 8:28 and Psalm 23.", "Lean Romanos 8:28 y el Salmo 23.", 1.0),
        ("Read Romans 8:28 and Psalm 23.", "Lean Romanos 8:28 y el Salmo 32.", 0.5),
        ("John 3:16", "1 Juan 3:16", 0.0),
        ("John 3:16", "Juan 3", 0.0),
        ("John 3:16", "en el evangelio", 0.0),
        ("James 1:5", "Jacobo 1:5", 0.0),
        ("Mary went to Luke", "María fue a Lucas", None),
    ],
)
def test_lost_and_changed_references_are_seen(
    source: str, target: str, expected: float | None
) -> None:
    assert parity.bible_references(source, target, "en", "es") == expected


def test_references_without_the_names_of_the_books_are_missing() -> None:
    assert parity.bible_references("John 3:16", "Jean 3:16", "en", "fr") is None
