"""Phrases that recognisers invent where nothing is said.

They learnt them from subtitles: what a video ends with, who made the subtitles, what is heard
besides words. Most can be said in earnest too, so being listed condemns nothing by itself.
"""

from __future__ import annotations

import re
import unicodedata

_PHRASES = (
    # What a video ends with, in English.
    "you",
    "thank you",
    "thank you very much",
    "thank you so much",
    "thank you for watching",
    "thanks for watching",
    "thank you so much for watching",
    "thank you for listening",
    "thanks for listening",
    "please subscribe",
    "please like and subscribe",
    "please subscribe to my channel",
    "don't forget to subscribe",
    "like and subscribe",
    "see you next time",
    "see you in the next video",
    "i'll see you in the next video",
    "bye",
    "bye bye",
    "okay",
    "so",
    "oh",
    "uh",
    "um",
    "hmm",
    "the end",
    "to be continued",
    # In Spanish.
    "gracias",
    "muchas gracias",
    "gracias por ver",
    "gracias por ver el video",
    "gracias por ver el vídeo",
    "gracias por su atención",
    "suscríbete",
    "suscríbete al canal",
    "suscríbanse al canal",
    "no olvides suscribirte",
    "nos vemos en el próximo video",
    "hasta la próxima",
    "hasta luego",
    "adiós",
    "chau",
    "fin",
)
# Subtitle credits: what follows is a name.
_CREDITS = (
    "amara org",
    "captions by",
    "captioned by",
    "subtitle by",
    "subtitled by",
    "subtitles by",
    "subtitles created by",
    "subtitles made by",
    "transcribed by",
    "transcription by",
    "translated by",
    "www",
    "más información www",
    "subtitulado por",
    "subtítulos de",
    "subtítulos en español",
    "subtítulos por",
    "subtítulos realizados",
    "traducido por",
)
# "[Music]", "(applause)", "*sighs*": a sound described, not a word spoken.
_SOUND = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]+\*")
_NOTES = "♩♪♫♬🎵🎶"
_SENTENCE_END = re.compile(r"[.!?…]+(?:\s+|$)")
_WORD = re.compile(r"\w+(?:'\w+)*")


def spoken_words(text: str) -> tuple[str, ...]:
    """The words of `text` in one spelling, described sounds left out."""
    folded = unicodedata.normalize("NFC", text).replace("’", "'").casefold()
    return tuple(_WORD.findall(_SOUND.sub(" ", folded)))


def is_marked_as_sung(text: str) -> bool:
    """Whether the recogniser put notes around or before it, as subtitles do with songs."""
    stripped = text.strip()
    return bool(stripped) and stripped[0] in _NOTES


def is_phantom(text: str) -> bool:
    """Whether each sentence of `text` is a phrase that recognisers invent."""
    sentences = [words for part in _SENTENCE_END.split(text) if (words := spoken_words(part))]
    return bool(sentences) and (
        all(words in _PHRASE_WORDS for words in sentences)
        or spoken_words(text) in _PHRASE_WORDS
        or _starts_with_credit(spoken_words(text))
    )


def _starts_with_credit(words: tuple[str, ...]) -> bool:
    return any(words[: len(credit)] == credit for credit in _CREDIT_WORDS)


_PHRASE_WORDS = frozenset(spoken_words(phrase) for phrase in _PHRASES)
_CREDIT_WORDS = tuple(spoken_words(credit) for credit in _CREDITS)
