"""Glossa's own parallel sentences: sound as a file, apart from what models are judged with."""

from __future__ import annotations

import re
from collections import Counter

from training.evaluation.sets import OWN_SERMON
from training.rows import read_rows
from training.texts.leakage import Leakage
from training.texts.own_sentences import FOLDER, own_sentences


def test_every_line_is_a_pair_with_the_same_digits_told_once() -> None:
    rows = list(own_sentences())
    lines = sum(
        len(path.read_text(encoding="utf-8").splitlines()) - 1 for path in FOLDER.glob("*.tsv")
    )
    assert len(rows) == lines > 10_000
    for row in rows:
        assert row.source == row.source.strip() != ""
        assert row.target == row.target.strip() != ""
        assert row.target.count("¿") == row.target.count("?"), row
        numbers = [re.findall(r"\d+", text) for text in (row.source, row.target)]
        assert Counter(numbers[0]) == Counter(numbers[1]), row
    repeated = [text for text, count in Counter(row.source for row in rows).items() if count > 1]
    assert repeated == []


def test_none_of_them_stands_in_what_models_are_judged_with() -> None:
    judged = list(read_rows(OWN_SERMON))
    assert len(judged) == 50
    clean, leaked = Leakage.of_rows(judged).parted(own_sentences())
    assert clean
    assert not leaked
