"""How words are spoken, for a recogniser's dictionary: its own entries, and flite for the rest."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from services.errors import EngineFailed, Unavailable

_VARIANT = re.compile(r"\(\d+\)$")
_FLITE_TIMEOUT_S = 30.0
# flite tells the short vowel of "above" from that of "cup", the recogniser does not.
_FLITE_PHONES = {"ax": "AH"}

Pronunciations = Mapping[str, Sequence[str]]


def read_dictionary(path: Path) -> dict[str, list[str]]:
    """The pronunciations of each word of a dictionary in CMU's form: "read(2) R EH D"."""
    known: dict[str, list[str]] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            word, _, phones = line.strip().partition(" ")
            known.setdefault(_VARIANT.sub("", word), []).append(phones)
    return known


def spoken(words: Iterable[str]) -> dict[str, list[str]]:
    """What flite's English lexicon and letter-to-sound rules make of words, in CMU's phones.

    Raises:
        Unavailable: TOOL_MISSING.
        EngineFailed: flite says a word with sounds that the dictionary has not.
    """
    if shutil.which("t2p") is None:
        raise Unavailable(
            "TOOL_MISSING", "flite's t2p is not installed (on Debian: apt-get install flite)"
        )
    return {word: [_phones(word)] for word in words}


def write_dictionary(path: Path, pronunciations: Pronunciations) -> int:
    """Writes a dictionary in CMU's form; its bytes."""
    with path.open("w", encoding="utf-8") as file:
        for word in sorted(pronunciations):
            for number, phones in enumerate(pronunciations[word], start=1):
                variant = f"({number})" if number > 1 else ""
                file.write(f"{word}{variant} {phones}\n")
    return path.stat().st_size


def _phones(word: str) -> str:
    done = subprocess.run(
        ["t2p", word], capture_output=True, text=True, check=False, timeout=_FLITE_TIMEOUT_S
    )
    phones = [phone.rstrip("012") for phone in done.stdout.split() if phone != "pau"]
    if done.returncode or not phones:
        raise EngineFailed(f"flite does not say how {word!r} is spoken")
    return " ".join(_FLITE_PHONES.get(phone, phone.upper()) for phone in phones)
