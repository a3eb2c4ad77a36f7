"""How an export is compared with its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.errors import InvalidInput
from services.mt.engine import LanguagePair
from training.evaluation.check_inputs import check_texts
from training.evaluation.likeness import compare

PAIR = LanguagePair("en", "es")
ONE = ["Dios es amor.", "Oremos."]


def test_outputs_that_are_the_same_are_wholly_alike() -> None:
    found = compare(ONE, ONE)
    assert (found.count, found.identical_share) == (2, 1.0)
    assert found.between.chrf == 100
    assert found.source is None
    assert found.export is None


def test_what_changed_is_counted_and_scored() -> None:
    found = compare(ONE, ["Dios es amor.", "Cantemos."])
    assert found.identical_share == 0.5
    assert found.between.chrf < 100
    assert "nw:2" in found.signatures["chrf"], "chrF++, not chrF"


def test_a_persons_translations_judge_both() -> None:
    found = compare(["Dios es amor."], ["Dios es pan."], ["Dios es amor."])
    assert found.source is not None
    assert found.export is not None
    assert found.source.chrf == 100
    assert found.export.chrf < 100


def test_sentences_come_from_lists_tables_and_rows(tmp_path: Path) -> None:
    plain, table = tmp_path / "a.txt", tmp_path / "a.tsv"
    plain.write_text("One.\n\nTwo.\n")
    table.write_text("One.\tUno.\nTwo.\tDos.\n")
    assert check_texts(plain, PAIR).names == ("One.", "Two.")
    assert check_texts(table, PAIR).references == ("Uno.", "Dos.")
    rows = tmp_path / "a.jsonl"
    rows.write_text(
        '{"en": "One.", "es": "Uno.", "source_language": "en", "target_language": "es"}'
    )
    assert check_texts(rows, PAIR).names == ("One.",)
    assert check_texts(rows, PAIR.reversed()).references == ("One.",)


def test_without_a_file_there_are_fifty_sentences_with_references() -> None:
    own = check_texts(None, PAIR)
    assert len(own.names) == len(own.references) == 50


def test_translations_that_some_sentences_lack_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "a.tsv"
    table.write_text("One.\tUno.\nTwo.\n")
    with pytest.raises(InvalidInput, match="some have none"):
        check_texts(table, PAIR)
    table.write_text("\n")
    with pytest.raises(InvalidInput, match="no sentence"):
        check_texts(table, PAIR)
