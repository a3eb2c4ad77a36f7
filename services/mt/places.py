"""Places in the Bible are written by rule: "Luke chapter fifteen, verse eleven" is "Lucas 15:11".

A small model garbles names and numbers that it seldom saw, and rules of grammar do not know that
"John three sixteen" is a place. So the own model is given a stand-in for each place, which it has
learnt to leave where it belongs (training.texts.hidden_places), and Apertium the place as it is
written in the language of the translation, which it copies. Pure functions of str.
"""

from __future__ import annotations

from collections.abc import Sequence

from services import bible_references
from services.bible_references import Place

# A piece of its own in the model's vocabulary, and nothing that anybody says.
STAND_IN = "&"


def knows(source_language: str, target_language: str) -> bool:
    """Whether places can be read in one language and written in the other."""
    return bible_references.knows(source_language) and bible_references.knows(target_language)


def found(source: str, language: str) -> list[Place]:
    """The places that can be hidden, in order; none where the text has the stand-in itself."""
    if STAND_IN in source:
        return []
    return [place for place in bible_references.places(source, language) if place.is_sure]


def hidden(source: str, places: Sequence[Place]) -> str:
    """The text with a stand-in for each of its places."""
    return _with(source, places, [STAND_IN] * len(places))


def spelled(source: str, places: Sequence[Place], target_language: str) -> str:
    """The text with each of its places as the other language writes it."""
    return _with(
        source, places, [bible_references.written(each, target_language) for each in places]
    )


def hidden_again(committed: str, places: Sequence[Place], language: str) -> str:
    """A translation that shows places, with stand-ins for those that it has whole."""
    for place in places:
        committed = committed.replace(bible_references.written(place, language), STAND_IN, 1)
    return committed


def shown(translation: str, places: Sequence[Place], language: str) -> str:
    """A translation with its stand-ins replaced by the places, in order; those too many go."""
    for place in places:
        written = bible_references.written(place, language)
        translation = translation.replace(STAND_IN, written, 1)
    return translation.replace(f" {STAND_IN}", "") if places else translation


def _with(source: str, places: Sequence[Place], texts: Sequence[str]) -> str:
    for place, text in reversed(list(zip(places, texts, strict=True))):
        source = f"{source[: place.start]}{text}{source[place.end :]}"
    return source
