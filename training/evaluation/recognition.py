"""Judges recognisers: word and character error rates on sets of clips, old against new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluation import measures
from training.evaluation.bootstrap import Judged, judged
from training.evaluation.measures import Counts
from training.evaluation.recognisers import Clip, Recogniser
from training.evaluation.sets import LEAST_GROUPS

_MEASURES = (measures.WER, measures.CER)


@dataclass(frozen=True)
class SpeechResult:
    """What one or two recognisers heard in a set of clips."""

    name: str
    clips: tuple[Clip, ...]
    new: tuple[str, ...]
    old: tuple[str, ...] | None

    @property
    def groups(self) -> tuple[str, ...]:
        """Of each clip; () where there are too few of them to be drawn."""
        groups = tuple(clip.group for clip in self.clips)
        return groups if "" not in groups and len(set(groups)) >= LEAST_GROUPS else ()

    @property
    def units(self) -> tuple[int, ...]:
        number = {group: at for at, group in enumerate(dict.fromkeys(self.groups))}
        return tuple(number[group] for group in self.groups) or tuple(range(len(self.clips)))


def hear_all(recogniser: Recogniser, clips: Sequence[Clip], language: str) -> tuple[str, ...]:
    return tuple(recogniser.hear(clip.samples(), language) for clip in clips)


def figures(results: Sequence[SpeechResult]) -> dict[str, Any]:
    """{"sets": {name: {"clips", "resampled_by", "wer": ..., "cer": ...}}, "overall": ...}.

    Compared is what is said, without case and punctuation.
    """
    counted = [_counted(result) for result in results]
    return {
        "sets": {
            result.name: {
                "clips": len(result.clips),
                "resampled_by": "group" if result.groups else "clip",
                **_measured([each]),
            }
            for result, each in zip(results, counted, strict=True)
        },
        "overall": _measured(counted),
    }


def heard(results: Sequence[SpeechResult]) -> list[dict[str, Any]]:
    """Every clip with what was said and what was heard."""
    return [
        {
            "set": result.name,
            "file": clip.path.name,
            "group": clip.group,
            "said": clip.text,
            "new": result.new[at],
            **({} if result.old is None else {"old": result.old[at]}),
        }
        for result in results
        for at, clip in enumerate(result.clips)
    ]


def _measured(counted: Sequence[dict[str, Judged]]) -> dict[str, Any]:
    return {
        measure.name: judged(measure, [each[measure.name] for each in counted])
        for measure in _MEASURES
    }


def _counted(result: SpeechResult) -> dict[str, Judged]:
    said = [clip.text for clip in result.clips]
    return {
        measure.name: Judged(
            _errors(said, result.new, measure.name),
            None if result.old is None else _errors(said, result.old, measure.name),
            result.units,
        )
        for measure in _MEASURES
    }


def _errors(said: Sequence[str], texts: Sequence[str], name: str) -> Counts:
    """(errors, words or characters that were said) of each clip."""
    import jiwer

    from cli.trial import normalised

    rows = []
    for truth, text in zip(map(normalised, said), map(normalised, texts), strict=True):
        if not truth:
            rows.append((len(text.split()) if name == "wer" else len(text), 0))
            continue
        process = jiwer.process_words if name == "wer" else jiwer.process_characters
        found = process(truth, text)
        wrong = found.substitutions + found.deletions + found.insertions
        rows.append((wrong, found.hits + found.substitutions + found.deletions))
    return np.array(rows, dtype=np.float64).reshape(-1, 2)
