"""The texts that a language model learns from, and the words that it knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from services.errors import InvalidInput
from training.data_folder import DataFolder
from training.trigrams.ngrams import SPECIAL_WORDS
from training.trigrams.spoken_words import spoken_sentences

# Of the sermons and addresses, which have no split of their own, every twentieth sentence judges.
_HELD_OUT_SHARE = 20
# A word of everyday text is learned when it occurs so often, or more often without an entry in the
# dictionary: then it may be a slip of the pen.
_LEAST_COUNT, _LEAST_COUNT_UNPRONOUNCED = 2, 4


@dataclass(frozen=True)
class Text:
    """Sentences to learn from, and others of the same kind that the mixture is judged by."""

    name: str
    train: list[list[str]]
    dev: list[list[str]]


def read_texts(data: DataFolder, hold_out: bool) -> list[Text]:
    """The texts of the folder of public texts.

    Without `hold_out` all books are learned. That the shares are found by verses known by heart is
    avoided: those that judge are of a version that is not learned.

    Raises:
        InvalidInput: DATA_MISSING.
    """
    learned, judging = [], []
    for verse in data.verses():
        if verse["split"] == "train" or not hold_out:
            learned += [verse.get("WEB") or "", verse.get("KJV") or ""]
        if verse["split"] == "dev":
            judging.append(verse.get("BSB") or "")
    texts = [
        Text("bible", spoken_sentences(learned), spoken_sentences(judging)),
        Text(
            "tatoeba",
            spoken_sentences(english for english, _ in data.tatoeba("train")),
            spoken_sentences(english for english, _ in data.tatoeba("dev")),
        ),
    ]
    for name, file in (("addresses", "state_union_modern"), ("sermons", "spurgeon")):
        sentences = spoken_sentences(data.sentences(file))
        dev = sentences[::_HELD_OUT_SHARE]
        del sentences[::_HELD_OUT_SHARE]
        texts.append(Text(name, sentences, dev))
    for text in texts:
        if not text.train or not text.dev:
            raise InvalidInput("DATA_MISSING", f"there are no sentences of {text.name} in {data}")
    return texts


def vocabulary_of(
    texts: Sequence[Text], dictionary: dict[str, list[str]], frequent: Sequence[str]
) -> list[str]:
    """Words by number: all of the Bible, what is frequent in the others, and these."""
    words = set(frequent)
    times: Counter[str] = Counter()
    for text in texts:
        found = Counter(word for sentence in text.train for word in sentence)
        if text.name == "bible":
            words |= found.keys()
        else:
            times += found
    for word, count in times.items():
        least = _LEAST_COUNT if word in dictionary else _LEAST_COUNT_UNPRONOUNCED
        if count >= least:
            words.add(word)
    return [*SPECIAL_WORDS, *sorted(words)]
