"""Which of a teacher's translations are good enough to learn from, by the project's own qe.

Rules always; a learned estimate where its model is there. A signal that could not be measured
refuses nothing. The thresholds of the rules are those below which services.qe has doubts
(services/qe/engines/heuristic.py). That of the learned estimate is a choice, not a measurement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.qe.engine import RULES, Engine, Pair, load
from services.qe.settings import QeSettings

LEAST = {
    "length_ratio": 0.5,
    "copied_through": 0.5,
    "number_parity": 1.0,
    "negation_parity": 1.0,
    "bible_references": 1.0,
    "repetition": 0.5,
}
LEARNED_LEAST = 0.80


@dataclass
class PairFilter:
    """Loaded engines of qe.

    Args:
        engines: in the order in which they are asked; each sees what the one before let through.
        least: the least value of each signal.
        refused: how many pairs each signal has refused; "empty" for those without a translation.
    """

    engines: tuple[Engine, ...]
    least: dict[str, float]
    refused: Counter[str] = field(default_factory=Counter)

    def passes(self, pairs: Sequence[Pair]) -> list[bool]:
        """Whether each is good enough, in order."""
        passed = [bool(pair.source_text.strip() and pair.target_text.strip()) for pair in pairs]
        self.refused["empty"] += passed.count(False)
        for engine in self.engines:
            asked = [index for index, good in enumerate(passed) if good]
            for index, signals in zip(
                asked, engine.score([pairs[index] for index in asked]), strict=True
            ):
                low = [
                    signal.name
                    for signal in signals
                    if signal.value is not None and signal.value < self.least.get(signal.name, 0.0)
                ]
                if low:
                    passed[index] = False
                    self.refused[low[0]] += 1
        return passed

    def close(self) -> None:
        for engine in self.engines:
            engine.close()


def load_filter(settings: QeSettings, learned_least: float) -> PairFilter:
    """The rules, and CometKiwi when `settings` choose it. Raises GlossaError as its loader does."""
    names = [RULES, *([settings.engine] if settings.engine != RULES else [])]
    engines = tuple(load(name, settings) for name in names)
    return PairFilter(engines, {**LEAST, "translation_qe": learned_least})
