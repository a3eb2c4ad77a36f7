"""Terms of the glossary as a model learns them: bare, and said in sentences.

A term that was only ever seen alone is lost in a sentence, so most copies of one stand in a
carrier. What article a term takes and whether it is one or many is in glossary_phrases.tsv; a term
that is not there (a verb, an adjective, a formula) is told bare and as a word that is named.
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.rows import Row

_PHRASES = Path(__file__).with_name("glossary_phrases.tsv")
# Of a term's copies; alone it is asked for by nobody but tests.
_BARE_SHARE = 0.2
_PARENTHESIS = re.compile(r"\s*\(.*?\)")

# {x} the term with its article; {to} and {of} in Spanish: "a" and "de" before it, "al" and "del"
# where they melt together; {who}: "a" before persons only; verbs between | | : one | many.
_CARRIERS = (
    ("Today I want to talk about {x}.", "Hoy quiero hablar {of}."),
    ("What does the Bible say about {x}?", "¿Qué dice la Biblia acerca {of}?"),
    ("Let us think about {x} this morning.", "Pensemos esta mañana en {x}."),
    ("The pastor spoke about {x}.", "El pastor habló sobre {x}."),
    ("{x} |is|are| not what many people think.", "{x} no |es|son| lo que mucha gente piensa."),
    ("We need to understand {x}.", "Necesitamos entender {who}."),
    ("Many people have never heard of {x}.", "Muchas personas nunca han oído hablar {of}."),
    ("This passage teaches us about {x}.", "Este pasaje nos enseña acerca {of}."),
    ("Without {x}, none of this makes sense.", "Sin {x}, nada de esto tiene sentido."),
    ("Paul writes about {x} in this letter.", "Pablo escribe sobre {x} en esta carta."),
    ("The Bible speaks of {x}.", "La Biblia habla {of}."),
    ("I do not know much about {x}.", "No sé mucho acerca {of}."),
    ("He asked me a question about {x}.", "Él me hizo una pregunta sobre {x}."),
    ("There is nothing like {x}.", "No hay nada como {x}."),
    ("Next Sunday we will talk about {x}.", "El próximo domingo hablaremos {of}."),
    ("Do you remember what we said about {x}?", "¿Recuerdan lo que dijimos sobre {x}?"),
    ("{x} |is|are| mentioned in this chapter.", "{x} se |menciona|mencionan| en este capítulo."),
    ("The story of {x} begins here.", "La historia {of} comienza aquí."),
    ("We believe what the Scriptures say about {x}.",
     "Creemos lo que dicen las Escrituras sobre {x}."),
    ("{x} |is|are| more than a word.", "{x} |es|son| más que una palabra."),
    ("My friends, this is about {x}.", "Amigos míos, se trata {of}."),
    ("Have you ever thought about {x}?", "¿Alguna vez han pensado en {x}?"),
    ("And that is why {x} |matters|matter|.", "Y por eso |importa|importan| {x}."),
    ("In the first place, {x}.", "En primer lugar, {x}."),
)  # fmt: skip
_NAMED = (
    ("What does the word {x} mean?", "¿Qué significa la palabra {x}?"),
    ('He said, "{x}".', 'Él dijo: "{x}".'),
    ("{x}.", "{x}."),
)


@dataclass(frozen=True)
class Phrase:
    """A term with the article it takes in either language.

    Args:
        number: singular, plural, or mixed where the languages differ: then no verb may follow.
    """

    english: str
    spanish: str
    number: str
    is_person: bool

    @property
    def of(self) -> str:
        return _melted("de", self.spanish)

    @property
    def who(self) -> str:
        return _melted("a", self.spanish) if self.is_person else self.spanish


def glossary_rows(
    terms: Sequence[Mapping[str, str]], copies: int, rng: random.Random
) -> Iterator[Row]:
    """`copies` rows of each term, and as many carriers as that needs, none of them twice.

    Args:
        terms: rows of glossary/core_en_es.tsv.
    """
    phrases = read_phrases()
    for term in terms:
        source = _PARENTHESIS.sub("", term["en"])
        # Which sense is meant is said in brackets: alone it would be learnt for all of them.
        is_sense = source != term["en"]
        phrase = phrases.get(term["en"])
        if phrase is None:
            for index in range(0 if is_sense else copies):
                before, after = _NAMED[index % len(_NAMED)] if " " not in source else ("{x}", "{x}")
                if rng.random() < _BARE_SHARE:
                    before, after = "{x}", "{x}"
                yield _row(before.format(x=source), after.format(x=term["es"]))
            continue
        bare_count = 0 if is_sense else max(1, round(_BARE_SHARE * copies))
        for index in range(bare_count):
            yield _row(*(_capitalised((source, term["es"])) if index % 2 else (source, term["es"])))
        yield from carried(phrase, copies - bare_count, rng)


def carried(phrase: Phrase, count: int, rng: random.Random) -> Iterator[Row]:
    """The phrase in so many sentences, another each time as long as there are some."""
    fitting = [
        carrier for carrier in _CARRIERS if phrase.number != "mixed" or "|" not in carrier[0]
    ]
    order: list[tuple[str, str]] = []
    while len(order) < count:
        order += rng.sample(fitting, len(fitting))
    form = 1 if phrase.number == "plural" else 0
    for before, after in order[:count]:
        source = _inflected(before, form).format(x=phrase.english)
        target = _inflected(after, form).format(x=phrase.spanish, of=phrase.of, who=phrase.who)
        yield _row(*_capitalised((source, target)))


def read_phrases() -> dict[str, Phrase]:
    """Phrases by their term."""
    with _PHRASES.open(encoding="utf-8", newline="") as lines:
        return {
            row["source"]: Phrase(
                row["english"], row["spanish"], row["number"], row["nature"] == "person"
            )
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        }


def _melted(preposition: str, spanish: str) -> str:
    if spanish.startswith("el "):
        return f"{preposition}l {spanish[3:]}"
    return f"{preposition} {spanish}"


def _inflected(carrier: str, form: int) -> str:
    return re.sub(r"\|([^|]*)\|([^|]*)\|", lambda match: match[form + 1], carrier)


def _capitalised(texts: tuple[str, str]) -> tuple[str, str]:
    source, target = (
        re.sub(r"\w", lambda first: first[0].upper(), text, count=1) for text in texts
    )
    return source, target


def _row(source: str, target: str) -> Row:
    return Row(source, target, "glossary", "glossary")
