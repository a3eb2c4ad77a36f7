"""How figures of an evaluation are named and written for people."""

from __future__ import annotations

from typing import Any

MEASURES = {
    "chrf": "chrF++",
    "bleu": "BLEU",
    "comet": "COMET",
    "terms": "terms kept",
    "numbers": "numbers right",
    "references": "references right",
    "names": "names kept",
    "denials": "denials kept",
    "wer": "words wrong (WER)",
    "cer": "characters wrong (CER)",
}
_IN_POINTS = ("chrf", "bleu")
LOWER_IS_BETTER = ("wer", "cer")


def shown(measure: str, value: float | None, *, signed: bool = False) -> str:
    """Points with one digit, shares in percent; a dash for what was not measured."""
    if value is None:
        return "–"
    sign = "+" if signed else ""
    if measure == "comet":
        return f"{value:{sign}.4f}"
    return f"{value:{sign}.1f}" if measure in _IN_POINTS else f"{value * 100:{sign}.1f} %"


def several_spoke(translation: dict[str, Any]) -> bool:
    """Whether a system has several models that share a set's sentences."""
    return any(
        len(voices or {}) > 1
        for figures in translation["sets"].values()
        for variant in ("plain", "as_heard")
        for voices in figures.get(variant, {}).get("voices", {}).values()
    )


def interval(measure: str, figure: dict[str, Any]) -> str:
    """The difference with its 95 % interval: "+1.2 (+0.4 to +2.0)"; "" without an old model."""
    if figure.get("difference") is None:
        return ""
    difference, low, high = (
        shown(measure, figure[name], signed=True) for name in ("difference", "low", "high")
    )
    return f"{difference} ({low} to {high})"


def verdict(measure: str, figure: dict[str, Any]) -> str:
    """ "better" or "worse" where the whole interval says so, else ""."""
    low, high = figure.get("low"), figure.get("high")
    if low is None or high is None or low <= 0 <= high:
        return ""
    return "better" if (low > 0) != (measure in LOWER_IS_BETTER) else "worse"
