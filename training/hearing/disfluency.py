"""What live speech adds to a sentence and a recogniser loses of it, without another meaning."""

from __future__ import annotations

import random

# Without them a sentence says the same; negations, pronouns and prepositions of place stay.
_DROPPED = frozenset({"the", "a", "an", "and", "that", "of", "is", "are", "to", "so", "then"})
_FILLERS = ("um", "uh", "you know", "I mean", "well", "okay so", "and uh")
_REPEATED = frozenset({"the", "a", "i", "we", "you", "and", "in", "to", "of", "that", "is", "he"})
# A shorter sentence has nothing to lose.
_FEWEST_WORDS = 5


def with_dropped_words(text: str, rng: random.Random) -> str | None:
    """The text without one or two of its small words; None where it has none to spare."""
    words = text.split()
    places = [
        place
        for place, word in enumerate(words)
        if place > 0 and word in _DROPPED and word == word.lower()
    ]
    if len(words) < _FEWEST_WORDS or not places:
        return None
    gone = set(rng.sample(places, min(len(places), rng.choice((1, 1, 2)))))
    return " ".join(word for place, word in enumerate(words) if place not in gone)


def with_fillers(text: str, rng: random.Random) -> str | None:
    """The text with a filler in it, or with a small word said twice; None where it is too short."""
    words = text.split()
    if len(words) < _FEWEST_WORDS:
        return None
    twice = [place for place, word in enumerate(words) if word.lower() in _REPEATED]
    if twice and rng.random() < 0.5:
        place = rng.choice(twice)
        return " ".join([*words[: place + 1], words[place].lower(), *words[place + 1 :]])
    # Not before the last word: nobody hesitates there.
    place = rng.randrange(len(words) - 1)
    return " ".join([*words[:place], rng.choice(_FILLERS), *words[place:]])
