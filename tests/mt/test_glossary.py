"""The glossary's rules, on renderings as Apertium gives them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mt import glossary_file
from services.mt.engine import Rendering
from services.mt.glossary import MAX_HINTS, Glossary, Term, term_accuracy
from services.mt.sense import Context
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


def test_a_full_stop_that_a_model_adds_to_a_bare_term_is_not_the_terms() -> None:
    for text, expected in (("Un acuerdo.", "Un pacto."), ("acuerdo nuevo.", "pacto nuevo.")):
        result = TERMS.apply("a covenant", Rendering(text), lambda _: "Acuerdo.")
        assert result.rendering.text == expected


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


def test_a_runtime_that_was_told_is_believed_where_it_used_a_term() -> None:
    glossary = Glossary([Term("righteousness", "justicia"), Term("righteous", "justo")])

    def never(term: str) -> str:
        raise AssertionError(f"{term} was rendered alone")

    kept = glossary.apply(
        "righteousness and righteous women",
        Rendering("Justicia y mujeres justas"),
        never,
        was_told=True,
    )
    assert kept.rendering.text == "Justicia y mujeres justas"
    assert (kept.kept, kept.placed, kept.missing) == (2, 0, ())


def test_a_term_that_is_nowhere_is_missing() -> None:
    result = TERMS.apply("the covenant", Rendering("el acuerdo"), lambda _: "convenio")
    assert [term.source for term in result.missing] == ["covenant"]
    assert (result.kept, result.placed) == (0, 0)


def test_a_rendering_that_the_sentence_inflected_is_replaced_in_its_form() -> None:
    glossary = Glossary([Term("righteous", "justo")])
    result = glossary.apply("righteous women", Rendering("mujeres honradas"), lambda _: "honrado")
    assert result.rendering.text == "mujeres justas"
    assert result.placed == 1


def test_what_is_committed_stays_and_its_terms_count_as_kept() -> None:
    glossary = Glossary([Term("spirit", "espíritu"), Term("covenant", "pacto")])
    result = glossary.apply(
        "the covenant of the spirit",
        Rendering("El convenio del espíritu del convenio"),
        lambda term: {"covenant": "convenio", "spirit": "espíritu"}[term],
        committed_text="El convenio del espíritu",
    )
    assert result.rendering.text == "El convenio del espíritu del pacto"
    assert (result.kept, result.placed) == (1, 1)


def test_what_the_engine_counted_stays_with_the_text() -> None:
    result = TERMS.apply("x", Rendering("x", (), 7, hit_token_limit=True), lambda term: term)
    assert (result.rendering.token_count, result.rendering.hit_token_limit) == (7, True)


def test_the_most_specific_terms_are_told_beforehand() -> None:
    glossary = Glossary(
        [
            *(Term(f"word{number}", f"palabra{number}") for number in range(20)),
            Term("holy ark", "arca santa"),
            Term("Israel", "Israel"),
        ]
    )
    hints = glossary.hints("the holy ark of Israel " + " ".join(f"word{n}" for n in range(20)))
    assert len(hints) == MAX_HINTS
    assert hints[0].source == "holy ark"
    assert "Israel" not in [hint.source for hint in hints]


def test_term_accuracy_counts_each_occurrence() -> None:
    glossary = Glossary([Term("grace", "gracia"), Term("sin", "pecado")])
    assert term_accuracy("grace upon grace and sin", "gracia sobre gracia y pecados", glossary) == (
        3,
        3,
    )
    assert term_accuracy("grace upon grace", "gracia sobre favor", glossary) == (1, 2)
    assert term_accuracy("nothing", "nada", glossary) == (0, 0)


def test_a_requests_term_replaces_every_sense_of_the_services() -> None:
    own = Glossary([Term("James", "Santiago", Context.read("verse")), Term("James", "Jacobo")])
    preferred = own.preferring([Term("james", "Jaime")])
    assert [term.target for _, term in preferred.find("James 1:5")] == ["Jaime"]
    assert [term.target for _, term in own.find("James 1:5, James")] == ["Santiago", "Jacobo"]
