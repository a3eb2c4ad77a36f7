"""Which sense of a word the words around it mean, and the glossary's rows that depend on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.errors import Unavailable
from services.mt import glossary_file
from services.mt.glossary import Glossary
from services.mt.sense import Context
from services.mt.settings import MtSettings

SERVICES_OWN = Glossary(glossary_file.read(MtSettings().glossary_file))


@pytest.mark.parametrize(
    ("context", "text", "holds"),
    [
        ("verse", "term 1:5 says", True),
        ("verse", "term chapter two", True),
        ("verse", "term one five", True),
        ("verse", "term 3", True),
        ("verse", "term one of them", False),
        ("verse", "term chapter by chapter", False),
        ("verse", "the term", False),
        ("after: book of, king", "the book of term", True),
        ("after: book of, king", "King term", True),
        ("after: book of", "a book about term", False),
        ("before: church", "term church", True),
        ("before: church", "term the church", False),
        ("near 3: bread, wine", "wine and the term", True),
        ("near 3: bread, wine", "term for all the bread", False),
        ("near 2: last supper", "the last supper term", True),
        ("near 1: last supper", "the last supper term", False),
        ("verse; after: king", "king term", True),
    ],
)
def test_a_context_holds_by_the_words_around_the_term(context: str, text: str, holds: bool) -> None:
    words = text.lower().replace(":", " ").split()
    place = words.index("term")
    assert Context.read(context).holds(words, place, place + 1) is holds


@pytest.mark.parametrize(
    "context",
    ["verses", "near: x", "near 0: x", "near 99: x", "after:", "after: a,,b", "verse;", "with: x"],
)
def test_a_context_that_cannot_be_read_is_told_with_its_line(tmp_path: Path, context: str) -> None:
    path = tmp_path / "glossary.tsv"
    path.write_text(f"source\ttarget\tcontext\ngrace\tgracia\nJames\tSantiago\t{context}\n")
    with pytest.raises(Unavailable, match="line 3 has a context that cannot be read") as refused:
        glossary_file.read(path)
    assert refused.value.reason == "GLOSSARY_UNREADABLE"


@pytest.mark.parametrize("row", ["grace", "grace\t", "\tgracia", "a\tb\tverse\td", "grace\t-"])
def test_a_row_that_is_none_is_told_with_its_line(tmp_path: Path, row: str) -> None:
    path = tmp_path / "glossary.tsv"
    path.write_text(f"source\ttarget\tcontext\n{row}\n")
    with pytest.raises(Unavailable, match="line 2"):
        glossary_file.read(path)


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("the book of James", ["Santiago"]),
        ("James chapter 2", ["Santiago"]),
        ("James 1:5", ["Santiago"]),
        ("as James writes to us", ["Santiago"]),
        ("Peter, James and John", ["Pedro", "Jacobo", "Juan"]),
        ("James the son of Zebedee", ["Jacobo"]),
        ("James will drive the bus", []),
        ("the King James translation", []),
        ("saved by grace", ["gracia"]),
        ("sister Grace brought the cake", []),
        ("let us say grace", ["demos gracias"]),
        ("Grace Chapel meets here", []),
        ("his righteousness", ["justicia"]),
        ("righteousness and justice", ["rectitud"]),
        ("imputed righteousness", ["justicia imputada"]),
    ],
)
def test_the_services_own_rows_tell_senses_apart(text: str, targets: list[str]) -> None:
    assert [term.target for _, term in SERVICES_OWN.find(text)] == targets


def test_senses_count_in_the_files_direction_alone() -> None:
    terms = glossary_file.read(MtSettings().glossary_file)
    back = Glossary(glossary_file.reverse(terms))
    assert [term.target for _, term in back.find("gracia y justicia")] == ["grace", "righteousness"]
    assert back.find("Santiago de Chile") == []
