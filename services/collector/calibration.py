"""What verified pairs taught about the recognisers' confidence and about the bands.

A calibration is a JSON file that `./glossa queue calibrate` writes and the setting `calibration`
adopts. Without one every confidence stands as it is.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from services.collector.bands import Thresholds
from services.collector.composite import check_unit_interval

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class ConfidenceMap:
    """From a confidence to the share of transcripts that were right at it, both in [0, 1].

    Args:
        knots: (confidence, probability), confidences rising, probabilities never falling; straight
            lines between them, level beyond the first and the last.
        pair_count: verified pairs that it was fitted on.

    Raises:
        ValueError: the knots are fewer than two, out of range or out of order.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    knots: tuple[tuple[float, float], ...]
    pair_count: int = 0

    def __post_init__(self) -> None:
        if len(self.knots) < 2:
            raise ValueError("a map needs two knots at least")
        for knot in self.knots:
            for number in knot:
                if not 0.0 <= number <= 1.0:
                    raise ValueError(f"a knot must lie in [0, 1], not be {number}")
        for (low, below), (high, above) in pairwise(self.knots):
            if not (low < high and below <= above):
                raise ValueError(
                    "knots must have rising confidences and probabilities that never fall, not "
                    f"({low}, {below}) before ({high}, {above})"
                )

    def __call__(self, confidence: float) -> float:
        """The probability at a confidence in [0, 1]; never falls when the confidence rises.

        Raises:
            ValueError: the confidence is NaN or outside [0, 1].
        """
        check_unit_interval(confidence)
        index = bisect_right(self.knots, confidence, key=lambda knot: knot[0])
        if index == 0:
            return self.knots[0][1]
        if index == len(self.knots):
            return self.knots[-1][1]
        (low, below), (high, above) = self.knots[index - 1 : index + 1]
        # Rounding must not carry it beyond the next knot.
        return min(above, below + (confidence - low) / (high - low) * (above - below))


@dataclass(frozen=True, slots=True)
class FittedOn:
    """The verified pairs behind a calibration.

    Args:
        sha256: of the file of pairs, as hexadecimal digits.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    pair_count: int
    session_count: int
    time: datetime
    sha256: str


@dataclass(frozen=True)
class Calibration:
    """How confidences are read, and where the bands begin.

    Args:
        schema_version: of the file; grows when an older collector could not read it any more.
        stt: maps by the recogniser's model ("faster-whisper/small.en") or engine
            ("faster-whisper"); any other confidence stands as it is.
        thresholds: where the bands begin; None: where they do without a calibration.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    schema_version: Literal[1]
    fitted_on: FittedOn | None = None
    stt: Mapping[str, ConfidenceMap] = field(default_factory=dict)
    thresholds: Thresholds | None = None

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits that change with the content; empty for IDENTITY.

        When it was fitted is left out: the same pairs give the same id.
        """
        if self == IDENTITY:
            return ""
        content = _FILE.dump_json(self, exclude={"fitted_on": {"time"}})
        return hashlib.sha256(content).hexdigest()[:12]

    def confidence(self, stt_model: str, confidence: float) -> float:
        """The calibrated confidence of a recogniser named "<engine>/<model>", in [0, 1].

        Raises:
            ValueError: the confidence is NaN or outside [0, 1].
        """
        check_unit_interval(confidence)
        by_map = self.stt.get(stt_model) or self.stt.get(stt_model.partition("/")[0])
        return confidence if by_map is None else by_map(confidence)

    def to_json(self) -> bytes:
        """The file that `read_calibration` reads."""
        return _FILE.dump_json(self, indent=2) + b"\n"


_FILE = TypeAdapter(Calibration)
IDENTITY = Calibration(schema_version=1)


def read_calibration(path: Path) -> Calibration:
    """Reads a calibration.

    Raises:
        ValueError: the file cannot be read or is no calibration; the message says where.
    """
    try:
        return _FILE.validate_json(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the file"
        message = problem["msg"].removeprefix("Value error, ")
        raise ValueError(f"{path} is no calibration: {place}: {message}") from error
