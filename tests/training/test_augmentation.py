"""How rows are told otherwise: other numbers and names, joined, and as a recogniser writes."""

from __future__ import annotations

import random
import re

import pytest

from training.hearing.heard import unpunctuated
from training.rows import Row
from training.texts.augmentation import general_passes, heard, joined
from training.texts.substitution import renamed, renumbered


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("It cost $10,000.", "Costó 10.000 dólares."),
        ("About 450,000 words in 1987.", "Unas 450 000 palabras en 1987."),
        ("It weighs 3.5 kilos.", "Pesa 3,5 kilos."),
        ("He paid 5,000 yen.", "Pagó 5,000 yenes."),
    ],
)
def test_number_is_replaced_as_it_was_written(source: str, target: str) -> None:
    def form(text: str) -> str:
        return re.sub(r"\d", "#", text)

    rng = random.Random(1)
    changed = [renumbered(source, target, rng) for _ in range(20)]
    assert {(form(one), form(other)) for one, other in changed} == {(form(source), form(target))}
    assert len(set(changed)) > 10
    for one, other in changed:
        assert re.sub(r"\D", "", one) == re.sub(r"\D", "", other)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("I have 3 of 5.", "Tengo 3."),
        ("We leave at 7:30.", "Salimos a las 7:30."),
        ("There are 12.", "Hay doce."),
        ("There is 1 left.", "Queda 1."),
    ],
    ids=["not the same numbers", "a time", "one in words", "one is singular"],
)
def test_number_is_left_where_another_would_be_wrong(source: str, target: str) -> None:
    assert renumbered(source, target, random.Random(1)) == (source, target)


def test_names_are_replaced_in_both_texts_or_in_none() -> None:
    rng = random.Random(1)
    new = {renamed("Tom and Mary left.", "Tom y Mary se fueron.", rng) for _ in range(50)}
    assert len(new) > 40
    for source, target in new:
        one, other = source.removesuffix(" left.").split(" and ")
        assert target == f"{one} y {other} se fueron."
        assert one != other
    alone = ("Tom left.", "Se fue.")
    assert renamed(*alone, rng) == alone
    tomorrow = ("Tomorrow he leaves.", "Tomorrow se va.")
    assert renamed(*tomorrow, rng) == tomorrow


def test_joined_sentences_stay_side_by_side() -> None:
    rows = [Row(f"a{n}.", f"b{n}.", "general", "t") for n in range(200)]
    together = list(joined(rows, 0.35, random.Random(1)))
    assert {row.source.count(".") for row in together} == {1, 2, 3}
    assert sum(row.source.count(".") for row in together) == 200
    assert all(row.source.replace("a", "b") == row.target for row in together)


def test_first_pass_keeps_sentences_alone() -> None:
    rows = [Row(f"Word {chr(97 + n)}.", f"Palabra {n}.", "general", "t") for n in range(20)]
    assert list(general_passes(rows, 1, random.Random(1))) == rows


def test_some_sources_have_no_punctuation() -> None:
    rows = [Row(f"Is it you, {n}?", f"¿Eres tú, {n}?", "general", "t") for n in range(1000)]
    told = list(heard(rows, 0.07, random.Random(1)))
    bare = [row for row in told if "?" not in row.source]
    assert len(bare) / len(told) == pytest.approx(0.07, abs=0.02)
    assert all(row.target.endswith("?") for row in told)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("In Romans 8:28, Paul says: 'Yes!'", "in romans 8:28 paul says yes"),
        ("It's well-known; 3.5 or 1,000.", "it's well-known 3.5 or 1,000"),
        ("The people's house - here.", "the people's house here"),
    ],
)
def test_recogniser_text_keeps_words_and_numbers(text: str, bare: str) -> None:
    assert unpunctuated(text) == bare
