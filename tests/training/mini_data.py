"""A small folder of public texts, laid out as training/data_folder.py says, all of it made up here.

    folder = mini_data.write(tmp_path / "data")

Eight books of 36 verses in ten versions: EST and GAL are for dev, RUT and JON for test. There are
some faults to be found: EMPTY has no text in BBE, LEAK is marked, OUTLIER has a clause too many in
BSB, JEHOVAH has the old name in BES, and in SHIFTED_CHAPTER the Spanish is one verse late from its
fifth verse on. There is no speech in it.
"""

from __future__ import annotations

import gzip
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

BOOKS = {
    "GEN": "train",
    "EXO": "train",
    "PSA": "train",
    "ROM": "train",
    "EST": "dev",
    "GAL": "dev",
    "RUT": "test",
    "JON": "test",
}
CHAPTERS, VERSES = 3, 12
EMPTY, LEAK, OUTLIER, JEHOVAH = "GEN.1.3", "GEN.1.4", "EXO.1.5", "PSA.1.2"
SHIFTED_CHAPTER = "ROM.2"
FIRST_SHIFTED_VERSE = 5
ENGLISH = ("KJV", "ASV", "WEB", "BBE", "YLT", "BSB", "FBV")
SPANISH = ("RV1909", "BES", "VBL")

# English, modern Spanish, Spanish of 1909.
_VERBS = (
    ("saw", "vio", "vido"),
    ("built", "edificó", "edificara"),
    ("loved", "amó", "amaba"),
    ("took", "tomó", "tomaba"),
    ("sold", "vendió", "vendía"),
    ("blessed", "bendijo", "bendecía"),
    ("guarded", "guardó", "guardaba"),
    ("measured", "midió", "medía"),
)
_THINGS = (
    ("walls", "los muros"),
    ("house", "la casa"),
    ("sheep", "las ovejas"),
    ("vineyard", "la viña"),
    ("people", "el pueblo"),
    ("river", "el río"),
    ("mountain", "el monte"),
    ("silver", "la plata"),
    ("bread", "el pan"),
    ("field", "el campo"),
)
_ENDS = (
    ("the LORD was with him", "el Señor estaba con él", "Jehová era con él"),
    ("he gave thanks to the LORD", "dio gracias al Señor", "dio gracias a Jehová"),
    ("there was peace", "hubo paz", "hubo reposo"),
    ("nobody knew it", "nadie lo sabía", "ninguno lo supo"),
    ("she bore a son", "ella dio a luz un hijo", "ella parió un hijo"),
    ("they ate together", "comieron juntos", "comieron a una"),
    ("the night came", "llegó la noche", "vino la noche"),
    ("all the women wept", "todas las mujeres lloraron", "todas las mujeres hicieron llanto"),
)
_BEGINNINGS = {"KJV": "And", "BBE": "Then", "BSB": "So", "ASV": "And", "YLT": "And", "FBV": "Later"}

_NAMES = 300
_SYLLABLES = (
    "ba",
    "cor",
    "dan",
    "el",
    "fim",
    "gor",
    "ha",
    "jo",
    "lem",
    "mi",
    "nur",
    "pa",
    "rus",
    "tov",
    "ul",
    "zeb",
)

_GENERAL = (
    ("{name} doesn't want to {doing}.", "{name} no quiere {doing}."),
    ("Does {name} want to {doing}?", "¿{name} quiere {doing}?"),
    ("{name} has to {doing} {count} times.", "{name} tiene que {doing} {count} veces."),
    ("I saw {name} {doing} in 1987.", "Vi a {name} {doing} en 1987."),
    ("It cost {name} ${count},500 to {doing}.", "A {name} le costó {count}.500 dólares {doing}."),
)
_DOINGS = (
    ("sing", "cantar"),
    ("sleep", "dormir"),
    ("swim", "nadar"),
    ("read", "leer"),
    ("dance", "bailar"),
    ("cook", "cocinar"),
    ("write", "escribir"),
    ("walk", "caminar"),
    ("eat", "comer"),
    ("leave", "salir"),
    ("travel", "viajar"),
    ("work", "trabajar"),
)

GLOSSARY = (
    ("propitiation", "propiciación", "soteriology", ""),
    ("grace", "gracia", "soteriology", ""),
    ("Son of God", "Hijo de Dios", "christology", ""),
    ("the Word (John 1)", "el Verbo", "christology", ""),
    ("Christ", "Cristo", "christology", ""),
    ("Holy Spirit", "Espíritu Santo", "pneumatology", ""),
    ("repent", "arrepentirse", "soteriology", ""),
    ("good news", "buenas nuevas", "bibliology", ""),
    ("Pharisees", "fariseos", "peoples", ""),
    ("ark of the covenant", "arca del pacto", "covenant", ""),
    ("let us pray", "oremos", "liturgy", ""),
)
BOOK_NAMES = (
    ("GEN", "Genesis", "Génesis", "50"),
    ("PSA", "Psalms", "Salmos", "150"),
    ("ROM", "Romans", "Romanos", "16"),
    ("RUT", "Ruth", "Rut", "4"),
    ("PHP", "Philippians", "Filipenses", "4"),
    ("1JN", "1 John", "1 Juan", "5"),
)
CONFUSIONS = (
    ("Philippines", "Philippians", "book", "yes"),
    ("a tone meant", "atonement", "term", "no"),
    ("holy goes", "Holy Ghost", "term", "no"),
)


def write(folder: Path) -> Path:
    """Writes the folder, always the same; gives it back."""
    rng = random.Random(20)
    for name in ("bible", "tatoeba", "glossary", "sermons"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "bible/verses.jsonl.gz", "wt", encoding="utf-8") as lines:
        for verse in _verses(rng):
            lines.write(json.dumps(verse, ensure_ascii=False) + "\n")
    pairs = _general(rng)
    for split, count in (("dev", 40), ("test", 40), ("train", 400)):
        table = [next(pairs) for _ in range(count)]
        _tsv(folder / f"tatoeba/{split}.tsv", table)
    glossary = folder / "glossary"
    columns = ("en", "es", "category", "es_alternatives")
    _tsv(glossary / "core_en_es.tsv", [columns, *GLOSSARY])
    _tsv(glossary / "book_names.tsv", [("usfm", "en", "es", "chapters"), *BOOK_NAMES])
    columns = ("heard", "intended", "kind", "context_needed")
    _tsv(glossary / "asr_confusions.tsv", [columns, *CONFUSIONS])
    for name in ("spurgeon", "state_union_modern"):
        spoken = [next(pairs)[0] for _ in range(60)]
        (folder / f"sermons/{name}_sentences.txt").write_text("\n".join(spoken) + "\n")
    return folder


def _verses(rng: random.Random) -> list[dict[str, object]]:
    made = [
        "".join(syllables).capitalize() for syllables in itertools.product(_SYLLABLES, repeat=3)
    ]
    names = rng.sample(made, _NAMES)  # each about four times, as a name is rare in a Bible, too
    verses: list[dict[str, object]] = []
    for book, split in BOOKS.items():
        for chapter, number in itertools.product(range(1, CHAPTERS + 1), range(1, VERSES + 1)):
            verse_id = f"{book}.{chapter}.{number}"
            verse: dict[str, object] = {"verse_id": verse_id, "split": split}
            verses.append(verse | _texts(rng.sample(names, 4), rng))
    by_id = {str(verse["verse_id"]): verse for verse in verses}
    by_id[EMPTY]["BBE"] = ""
    by_id[LEAK]["leak_excluded"] = True
    by_id[OUTLIER]["BSB"] = f"{by_id[OUTLIER]['BSB']} " + "And it was told in all the land. " * 6
    by_id[JEHOVAH]["BES"] = f"Jehová dijo: {by_id[JEHOVAH]['BES']}"
    shifted = [by_id[f"{SHIFTED_CHAPTER}.{n}"] for n in range(FIRST_SHIFTED_VERSE, VERSES + 1)]
    before = by_id[f"{SHIFTED_CHAPTER}.{FIRST_SHIFTED_VERSE - 1}"]
    for version in SPANISH:
        late = [before[version], *(verse[version] for verse in shifted[:-1])]
        for verse, text in zip(shifted, late, strict=True):
            verse[version] = text
    return verses


def _texts(names: Sequence[str], rng: random.Random) -> dict[str, str]:
    verb, thing, end = rng.choice(_VERBS), rng.choice(_THINGS), rng.choice(_ENDS)
    person, father, place, land = names
    said = (
        f"{person} the son of {father} {verb[0]} the {thing[0]} of {place} in {land}, and {end[0]}."
    )
    texts = {name: f"{_BEGINNINGS[name]} {said}" if name != "WEB" else said for name in ENGLISH}
    person, father, place, land = (name.replace("c", "k") for name in names)
    modern = f"{person} hijo de {father} {verb[1]} {thing[1]} de {place} en {land}, y {end[1]}."
    old = f"Y {person} hijo de {father} {verb[2]} {thing[1]} de {place} en {land}; y {end[2]}."
    return texts | {"RV1909": old, "BES": modern, "VBL": modern}


def _general(rng: random.Random) -> Iterator[tuple[str, str]]:
    """Sentences of everyday language, none twice."""
    names = ("Tom", "Mary", "Ken", "Ann", "Bill", "my brother Luis", "Rosa")
    combined = list(itertools.product(_GENERAL, names, _DOINGS, range(2, 9)))
    rng.shuffle(combined)
    seen = set()
    for (english, spanish), name, doing, count in combined:
        source = english.format(name=name, doing=doing[0], count=count)
        if source not in seen:
            seen.add(source)
            own = name.replace("my brother", "mi hermano")
            yield source, spanish.format(name=own, doing=doing[1], count=count)


def _tsv(path: Path, rows: Sequence[Sequence[str]]) -> None:
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
