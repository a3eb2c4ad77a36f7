"""The glossary's rules, on renderings as Apertium gives them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mt import glossary_file
from services.mt.engine import Rendering
from services.mt.glossary import Glossary, Term
from services.mt.settings import MtSettings

ALONE = {
    "holy spirit": "alcohol santo",
    "spirit": "alcohol",
    "spirit of god": "alcohol de dios",
    "grace": "gracia",
    "law": "ley",
    "covenant": "covenant",
}
TERMS = Glossary(
    [
        Term("Holy Spirit", "Espíritu Santo"),
        Term("Spirit of God", "Espíritu de Dios"),
        Term("spirit", "espíritu"),
        Term("covenant", "pacto"),
    ]
)


def applied(source: str, text: str, *unknown: str) -> tuple[str, list[str]]:
    result = TERMS.apply(source, Rendering(text, unknown), lambda term: ALONE[term.lower()])
    return result.rendering.text, [term.source for term in result.terms]


def test_a_term_replaces_its_rendering_and_keeps_the_first_letters_case() -> None:
    assert applied("the covenant", "el covenant") == ("el pacto", ["covenant"])
    assert applied("Covenant", "Covenant") == ("Pacto", ["covenant"])
    assert applied("THE HOLY SPIRIT", "EL ALCOHOL SANTO") == ("EL Espíritu Santo", ["Holy Spirit"])


def test_terms_stand_on_word_boundaries() -> None:
    assert applied("covenants spirited", "covenants alcohol") == ("covenants alcohol", [])
    assert applied("the spirit", "los alcoholes") == ("los alcoholes", [])
    assert applied("holy. Spirit", "santo. Alcohol") == ("santo. Espíritu", ["spirit"])


def test_the_longest_term_wins_and_gives_way_when_it_is_not_there() -> None:
    assert applied("the holy spirit", "el alcohol santo") == ("el Espíritu Santo", ["Holy Spirit"])
    assert applied("spirit of god", "alcohol del dios") == ("espíritu del dios", ["spirit"])


def test_each_occurrence_in_the_source_replaces_one_in_the_text() -> None:
    text, terms = applied("spirit and spirit", "alcohol y alcohol y alcohol")
    assert text == "espíritu y espíritu y alcohol"
    assert terms == ["spirit"]


def test_a_placed_term_is_not_unknown() -> None:
    result = TERMS.apply(
        "covenant quux",
        Rendering("covenant quux", ("covenant", "quux")),
        lambda term: ALONE[term.lower()],
    )
    assert result.rendering.unknown_words == ("quux",)


def test_apostrophes_and_line_breaks_inside_a_term_do_not_hide_it() -> None:
    glossary = Glossary([Term("in Jesus' name", "en el nombre de Jesús")])
    for text in ("in Jesus' name", "in jesus name", "In Jesus’\nname"):
        assert [term.target for _, term in glossary.find(text)] == ["en el nombre de Jesús"]


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_taken_and_texts_without_terms_stay_as_they_are(source: str, text: str) -> None:
    result = TERMS.apply(source, Rendering(text), lambda term: ALONE.get(term.lower(), term))
    if not TERMS.find(source):
        assert result.rendering.text == text


def test_the_services_own_file_is_whole() -> None:
    terms = glossary_file.read(MtSettings().glossary_file)
    assert len(terms) > 200
    plain = [term for term in terms if term.context is None]
    assert len(Glossary(plain)) == len(plain), "a source stands twice"
    assert Term("Holy Spirit", "Espíritu Santo") in terms
    assert Glossary(glossary_file.reverse(terms)).find("el espíritu santo")[0][1].target == (
        "Holy Spirit"
    )


@pytest.mark.parametrize("word", ["", "  "])
def test_terms_without_words_are_left_out(word: str) -> None:
    assert len(Glossary([Term(word, "x")])) == 0
