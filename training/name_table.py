"""Makes the table of names by which the embedded translator sees that a name was lost.

    python -m training.name_table --data ../data --table services/mt/names_en_es.tsv

Reads verses in both languages (test books left out) and everyday sentences, and counts for each
English word with a capital inside its sentence which Spanish words stand across from it. See
services/mt/names.py for what the table says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import click

from services.mt.names import UNCHECKED, WORD, are_alike, inner_capitals, plain, without_possessive
from training.data_folder import DataFolder
from training.job import Job, data_option

_VERSIONS = (("WEB", "RV1909"), ("BSB", "RV1909"), ("BBE", "BES"), ("WEB", "BES"))
# A form that stands across from fewer of a name's places tells nothing; so many are enough.
_LEAST_SHARE = 0.04
_MOST_FORMS = 6
# A word whose forms stand across from fewer of its places is left to the translator.
_LEAST_COVERAGE = 0.7
_LEAST_DICE = 0.4
_LEAST_PLACES = 5
_LEAST_PLACES_OF_A_FORM = 10
_LEAST_LETTERS = 3
# Of the places of a name so many are written with a capital: "will" and "mark" are no names.
_LEAST_CAPITALS = 0.95


@click.command(cls=Job)
@data_option
@click.option(
    "--table",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file to write.",
)
def name_table(data: Path, table: Path) -> None:
    """Make the table of names from texts in both languages.

    \b
    python -m training.name_table --data ../data --table services/mt/names_en_es.tsv
    """
    counts = _Counts()
    for english, spanish in _pairs(DataFolder(data)):
        counts.add(english, spanish)
    rows = dict(sorted(counts.rows()))
    lines = ["name\tforms", *(f"{name}\t{' '.join(forms)}" for name, forms in rows.items())]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    unchecked = sum(forms == (UNCHECKED,) for forms in rows.values())
    alike = sum(not forms for forms in rows.values())
    click.echo(
        f"{table}: {len(rows) - unchecked} names, {alike} of them alike in both languages; "
        f"{unchecked} words with a capital that are no names"
    )


def _pairs(data: DataFolder) -> Iterator[tuple[str, str]]:
    for verse in data.verses():
        if verse["split"] != "test":
            for english, spanish in _VERSIONS:
                if verse.get(english) and verse.get(spanish):
                    yield verse[english], verse[spanish]
    yield from data.tatoeba("train")


class _Counts:
    """Where each word with a capital stands, and how often Spanish words stand anywhere."""

    def __init__(self) -> None:
        self._places: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
        self._texts_with: Counter[str] = Counter()
        self._lower: Counter[str] = Counter()

    def add(self, english: str, spanish: str) -> None:
        place = frozenset(plain(word) for word in WORD.findall(spanish))
        self._texts_with.update(place)
        self._lower.update(
            plain(without_possessive(word)) for word in WORD.findall(english) if word[0].islower()
        )
        for name in {plain(name) for name in inner_capitals(english)}:
            self._places[name].append(place)

    def rows(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Names with their forms; see the module."""
        for name, places in self._places.items():
            is_ordinary = self._lower[name] > len(places)
            if len(name) < _LEAST_LETTERS or (len(places) < _LEAST_PLACES and not is_ordinary):
                continue
            is_capital = len(places) >= _LEAST_CAPITALS * (len(places) + self._lower[name])
            forms = self._forms(name, places) if is_capital else None
            yield name, (UNCHECKED,) if forms is None else forms

    def _forms(self, name: str, places: list[frozenset[str]]) -> tuple[str, ...] | None:
        """What stands for a name where nothing alike does; None when it is translated freely."""
        across = Counter(word for place in places for word in place)
        alike = {word for word in across if are_alike(name, word)}
        left = [place for place in places if place.isdisjoint(alike)]
        forms: list[str] = []
        most = _MOST_FORMS if len(places) >= _LEAST_PLACES_OF_A_FORM else 0
        while len(forms) < most and len(left) > _LEAST_SHARE * len(places):
            counts = Counter(word for place in left for word in place)
            dice = {
                word: 2 * across[word] / (len(places) + self._texts_with[word]) for word in counts
            }
            # The more of its places are explained, the less a further form must be its own.
            explained = len(forms) + bool(alike)
            likely = [word for word in counts if dice[word] >= _LEAST_DICE / (1 + explained)]
            best = max(likely, key=lambda word: (counts[word] * dice[word], word), default="")
            if not best or counts[best] < max(2.0, _LEAST_SHARE * len(places)):
                break
            forms.append(best)
            left = [place for place in left if best not in place]
        return tuple(forms) if 1 - len(left) / len(places) >= _LEAST_COVERAGE else None


if __name__ == "__main__":
    name_table()
