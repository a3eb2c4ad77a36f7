"""The table of names is what texts in both languages tell."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.mt.names import Names
from training.name_table import name_table

VERSES = [
    ("Then Peter spoke to Jonathan.", "Entonces Pedro habló a Jonatán."),
    ("And Peter answered him, the King.", "Y Pedro le respondió al monarca."),
    ("He saw Peter with the King.", "Vio a Pedro con el soberano."),
    ("Go to Jonathan, the King's son.", "Ve a Jonatán, hijo del rey."),
    ("They will mark Jonathan and Peter.", "Señalarán a Jonatán y a Pedro."),
    ("Let them mark the door for Mark.", "Que señalen la puerta para Marcos."),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "bible").mkdir()
    (tmp_path / "tatoeba").mkdir()
    with gzip.open(tmp_path / "bible/verses.jsonl.gz", "wt", encoding="utf-8") as verses:
        for english, spanish in VERSES * 3:
            verse = {"split": "train", "WEB": english, "RV1909": spanish}
            verses.write(json.dumps(verse) + "\n")
        hidden = {"split": "test", "WEB": "It was Zerah.", "RV1909": "Era Zara."}
        verses.write((json.dumps(hidden) + "\n") * 9)
    (tmp_path / "tatoeba/train.tsv").write_text("See you Monday.\tHasta el lunes.\n" * 12)
    return tmp_path


def _made(data: Path, table: Path) -> Result:
    return CliRunner().invoke(name_table, ["--data", str(data), "--table", str(table)])


def test_names_get_the_forms_that_stand_across_from_them(data: Path, tmp_path: Path) -> None:
    table = tmp_path / "names.tsv"
    done = _made(data, table)
    assert done.exit_code == 0, done.output
    rows = dict(line.split("\t") for line in table.read_text().splitlines()[1:])
    assert rows["peter"] == "pedro"
    assert rows["monday"] == "lunes"
    assert rows["jonathan"] == ""
    assert rows["king"] == rows["mark"] == "-"
    assert "zerah" not in rows
    names = Names.read(table)
    assert names.missing("see you monday peter", "hasta el lunes") == ("peter",)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    done = _made(tmp_path / "nowhere", tmp_path / "names.tsv")
    assert done.exit_code == 2
    assert "--data names the folder" in done.output
    assert not (tmp_path / "names.tsv").exists()
