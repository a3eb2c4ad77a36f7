"""Misheard words, mended where they are surely misheard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import Unavailable
from services.stt.corrections import Corrected, CorrectedWord, Correction, Corrections

ENGLISH = Path(__file__).parents[2] / "services" / "stt" / "corrections_en.tsv"
CORRECTIONS = Corrections.read(ENGLISH)
HEADER = "heard\tintended\tkind\tcontext_needed\tcontext\n"


@dataclass(frozen=True)
class Heard:
    text: str
    probability: float | None = None


def corrected(text: str, corrections: Corrections = CORRECTIONS) -> Corrected:
    return corrections.apply([Heard(word) for word in text.split()])


def written(folder: Path, *rows: str) -> Path:
    path = folder / "corrections.tsv"
    path.write_text(HEADER + "".join(row + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("heard", "shown"),
    [
        ("turn to Philippines chapter 4", "turn to Philippians chapter 4"),
        ("in Philippines, chapter four.", "in Philippians, chapter four."),
        ("Philippines 4:13 says", "Philippians 4:13 says"),
        ("philippines four thirteen", "Philippians four thirteen"),
        ("his letter to the Philippines was", "his letter to the Philippians was"),
        ("the book of revelations", "the book of Revelation"),
        ("the epistle to the he brews", "the epistle to the Hebrews"),
        ("he put it on the alter.", "he put it on the altar."),
        ("Let us prey.", "Let us pray."),
        ("there is a propitious asian", "there is a propitiation"),
        ("born in beth any.", "born in Bethany."),
        ("King nebula cad nezzar,", "King Nebuchadnezzar,"),
        ("pre-destination", "predestination"),
        ("in Jesus' name, a man.", "in Jesus' name, amen."),
        ("chapter 3 versus 4 and 5", "chapter 3 verses 4 and 5"),
        ("chapter twenty one versus", "chapter twenty one verses"),
    ],
)
def test_a_misheard_term_is_mended(heard: str, shown: str) -> None:
    assert corrected(heard).text == shown


@pytest.mark.parametrize(
    "text",
    [
        "our missionaries in the Philippines",
        "we were in the Philippines three years ago",
        "in the Philippines twenty one people came",
        "the Philippines chapter of our association",
        "We flew to the Philippines. Chapter 4 of my life",
        "he lost his job and all his jobs",
        "do not alter your course",
        "a man came to him",
        "a man. He came",
        "God has given us new revelations",
        "the Armenian church",
        "what does it profit a man",
        "my sole purpose",
        "they elected a new mayor",
        "Zachariah and his wife",
        "look, chapter one is short",
        "the famous chapter 13 of First Corinthians",
        "the Song of Songs, chapter 2",
        "Gideon's army",
        "the rain fell on the just",
        "Saint if. A cation",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    found = corrected(text)
    assert found.words == tuple(
        CorrectedWord(word, i, i + 1) for i, word in enumerate(text.split())
    )
    assert found.corrections == ()


def test_a_low_probability_licenses_where_its_row_says_so() -> None:
    words = [Heard("to", 0.9), Heard("Philippines", 0.2)]
    assert CORRECTIONS.apply(words).text == "to Philippians"
    assert CORRECTIONS.apply([Heard("to", 0.1), Heard("Philippines", 0.9)]).text == "to Philippines"
    assert CORRECTIONS.apply([Heard("the", 0.1), Heard("rain", 0.1)]).text == "the rain"


def test_punctuation_and_a_sentence_s_capital_stay() -> None:
    assert corrected("(Saint if a cation!) is").text == "(Sanctification!) is"
    assert corrected("Amen. A tone meant for our sins").text == "Amen. Atonement for our sins"
    assert corrected("called Saint if a cation").text == "called sanctification"
    assert corrected("Barnabus’s “Barnabus”").text == "Barnabas's “Barnabas”"


def test_each_shown_word_knows_what_it_stands_for() -> None:
    merged = corrected("the Deuter on a me book")
    assert merged.words == (
        CorrectedWord("the", 0, 1),
        CorrectedWord("Deuteronomy", 1, 5),
        CorrectedWord("book", 5, 6),
    )
    assert merged.corrections == (Correction("Deuter on a me", "Deuteronomy", 1),)


def test_more_words_than_heard_share_them(tmp_path: Path) -> None:
    corrections = Corrections.read(written(tmp_path, "a b\tone two three\tterm\tno\t"))
    assert corrected("a b", corrections).words == (
        CorrectedWord("one", 0, 1),
        CorrectedWord("two", 0, 1),
        CorrectedWord("three", 1, 2),
    )


def test_the_longest_match_counts(tmp_path: Path) -> None:
    path = written(tmp_path, "a\tx\tterm\tno\t", "a b\ty\tterm\tno\t")
    assert corrected("a b a", Corrections.read(path)).text == "y x"


def test_its_own_output_is_left_alone() -> None:
    for term in CORRECTIONS.intended_terms():
        assert corrected(term).corrections == ()


def test_the_terms_to_listen_for_are_names_and_terms() -> None:
    terms = CORRECTIONS.intended_terms()
    assert {"Philippians", "propitiation", "Nebuchadnezzar"} <= set(terms)
    assert len(set(terms)) == len(terms)
    assert not any(any(character.isdigit() for character in term[1:]) for term in terms)


_TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(ENGLISH.read_text(encoding="utf-8").split()),
)


@given(st.lists(st.tuples(_TEXTS, st.none() | st.floats(0, 1)), max_size=20))
def test_whatever_is_heard_each_shown_word_has_its_source(
    heard: list[tuple[str, float | None]],
) -> None:
    words = [Heard(text, probability) for text, probability in heard]
    result = CORRECTIONS.apply(words)
    position = 0
    for word in result.words:
        assert word.first_word <= position <= word.end_word
        assert word.first_word < word.end_word <= len(words)
        position = word.end_word
    assert position == len(words)
    changed = {correction.word_index for correction in result.corrections}
    assert bool(changed) == (result.text != " ".join(word.text for word in words))
    assert all(0 <= index < len(result.words) for index in changed)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("a\tb\tterm", "line 2: 3 columns"),
        ("\tb\tterm\tno\t", "line 2: the first column"),
        ("a\t \tterm\tno\t", "line 2: the second column"),
        ("a\tb\tterm\tmaybe\t", "write yes or no"),
        ("a\tb\tterm\tyes\t", "line 2: it needs a context and names none"),
        ("a\tb\tterm\tno\tbook of _", "line 2: it has a context and does not need it"),
        ("a\tb\tterm\tyes\t@books", "there is no context @books; there are: @book"),
        ("a\tb\tterm\tyes\t_", "line 2: a context needs a word beside its _"),
        ("a\tb\tterm\tyes\t_ c _", "more than one _"),
        ("a\tb\tterm\tyes\t_ $ c", "stands between words"),
        ("a\tb\tterm\tno\t\nA\tc\tterm\tno\t", "line 3: line 2 is for the same heard words"),
    ],
)
def test_a_bad_row_is_named_with_what_to_do(tmp_path: Path, row: str, problem: str) -> None:
    with pytest.raises(Unavailable, match=problem) as raised:
        Corrections.read(written(tmp_path, row))
    assert raised.value.reason == "CORRECTIONS_UNREADABLE"


def test_a_missing_file_or_header_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"none\.tsv"):
        Corrections.read(tmp_path / "none.tsv")
    (tmp_path / "empty.tsv").write_text("")
    with pytest.raises(Unavailable, match="line 1 must be: heard<tab>intended"):
        Corrections.read(tmp_path / "empty.tsv")


def test_a_word_left_as_it_was_heard_is_told_with_what_it_may_mean() -> None:
    found = corrected("It was a romance, of all things, in the letter to the romance.")
    assert [(each.heard, each.intended, each.word_index) for each in found.homophones] == [
        ("romance", "Romans", 3)
    ]
    assert [each.intended for each in found.corrections] == ["Romans."]
    assert corrected("The river is wide.").homophones == ()
