"""Two Marian vocabularies side by side: where and over what two models can be compared.

Both predict the next piece of the same text, so their probabilities can be compared wherever both
have written the same characters so far, over the pieces that both know (by spelling, numbered as
each likes), each renormalised over these. With one tokenizer that is every token and every piece
but padding and the unknown; with two, positions inside each other's pieces and foreign pieces are
left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.small_model.model import MarianTokens

_UNCOMPARED = ("<pad>", "<unk>")


@dataclass(frozen=True)
class SharedPieces:
    """The pieces of both, by their numbers in each: int64 [shared]."""

    student: np.ndarray[Any, Any]
    teacher: np.ndarray[Any, Any]

    @classmethod
    def of(cls, student: MarianTokens, teacher: MarianTokens) -> SharedPieces:
        theirs = teacher.ids
        common = [piece for piece in student.ids if piece in theirs and piece not in _UNCOMPARED]
        return cls(
            np.array([student.ids[piece] for piece in common], np.int64),
            np.array([theirs[piece] for piece in common], np.int64),
        )


def shared_positions(student: Sequence[str], teacher: Sequence[str]) -> tuple[list[int], list[int]]:
    """Positions of a text's pieces before which both have written the same.

    Args:
        student, teacher: its pieces by each tokenizer, the end's included.
    """
    before = {written: index for index, written in enumerate(_written(teacher))}
    pairs = [
        (index, before[written])
        for index, written in enumerate(_written(student))
        if written in before
    ]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _written(pieces: Sequence[str]) -> list[str]:
    """What stands before each piece."""
    found, text = [], ""
    for piece in pieces:
        found.append(text)
        text += piece
    return found
