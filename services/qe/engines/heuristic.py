"""Signals that need no model to download: checks of the texts, and Apertium's way back.

The checks are those of services.qe.signals and services.parity; the way back is a second tier, of
all pairs, of doubtful ones or of none.

The translation is translated back by Apertium's other direction and compared with the source by
chrF (Popović 2015, the settings of sacrebleu), letters and digits alone. That tells a translation
from an unrelated text and a whole one from half of one; it does not see one wrong word and, where
Apertium made the translation too, it is kinder than it should be. This is not a learned quality
estimate and is never reported as one.

heuristic_quality is, with the settings below:

    ramp(back_translation) * number_parity * (1 or 0.5 by negation_parity)
        * min(1, 2 * copied_through) * min(1, 2 * length_ratio)

where the ramp rises from 0 at 0.15 to 1 at 0.70. Measured on 600 English-Spanish pairs of Tatoeba:
95 % of unrelated texts come back below 0.18, a quarter of people's translations above 0.67 (median
0.49), the median of Apertium's own is 0.68. copied_through is part of it because a text that was
not translated comes back whole. It is unset where the way back is.

bible_references, glossary_terms and repetition are no part of it, so that its values stay
comparable with those of pairs that were judged before there were any: they speak for themselves.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import structlog
from sacrebleu.metrics.chrf import CHRF

from services import apertium, parity
from services.errors import GlossaError, InvalidInput
from services.qe import metrics, signals
from services.qe.engine import ENGINES, Pair, Signal

if TYPE_CHECKING:
    from services.qe.settings import QeSettings

log = structlog.get_logger()

BackTranslation = Literal["always", "doubtful", "never"]

NOT_BACK = 0.15  # back_translation of texts that have nothing to do with each other
WELL_BACK = 0.70  # back_translation at which more of it tells no more
NEGATION_FACTOR = 0.5
# A way back that broke is left alone for a while: restarts cost more than its signals are worth.
REST_AFTER_FAILURE_S = 5.0

_TEXTS = "texts/1"
_WORD_LISTS = "word-lists/1"
_BOOK_NAMES = "book-names/1"
_TERMS = "mt-terms/1"
_RUNS = "seq-rep-4"
_QUALITY = "heuristic/1"
# Below these a rule leaves doubts; the shares are those from which heuristic_quality falls.
_UNDOUBTED = {
    "length_ratio": 0.5,
    "copied_through": 0.5,
    "number_parity": 1.0,
    "negation_parity": 1.0,
    "bible_references": 1.0,
    "glossary_terms": 1.0,
    "repetition": 0.5,
}
_COMPARED = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def load(settings: QeSettings) -> HeuristicEngine:
    engine = HeuristicEngine(
        settings.wanted_signals(),
        settings.second_tier_back_translation,
        settings.back_translation_timeout_s,
    )
    engine.warm({pair.strip() for pair in settings.warm_pairs.split(",")})
    return engine


@dataclass(frozen=True)
class _Back:
    """A translation translated back."""

    text: str
    unknown_words: int
    model: str


@dataclass(frozen=True)
class _NotBack:
    """Why a translation was not translated back, as a reason in capitals."""

    reason: str


class HeuristicEngine:
    """See the module. Without Apertium, or with a direction that it lacks, some signals stay unset.

    Args:
        signal_names: those to measure, other engines' among them; none for all.
        back_translation: which pairs are translated back; what needs it is unset for the others.
    """

    name = "heuristic"
    model = _QUALITY

    def __init__(
        self,
        signal_names: Sequence[str],
        back_translation: BackTranslation,
        back_translation_timeout_s: float,
    ) -> None:
        known = (*_SIGNALS, *(name for entry in ENGINES.values() for name in entry.signal_names))
        if unknown := [name for name in signal_names if name not in known]:
            raise InvalidInput(
                "UNKNOWN_SIGNAL",
                f"unknown signal {', '.join(unknown)}; known: {', '.join(known)}",
            )
        self.signal_names = tuple(name for name in _SIGNALS if name in (signal_names or _SIGNALS))
        self._back_translation = back_translation
        self._chrf = CHRF(lowercase=True)
        self._resting_until: dict[apertium.Mode, float] = {}
        self._pipelines: dict[tuple[str, str], apertium.Apertium] = {}
        if back_translation == "never" or not _NEEDING_THE_WAY_BACK & set(self.signal_names):
            return
        try:
            modes = apertium.installed_modes()
        except GlossaError as error:
            log.warning("no_back_translation", reason=error.reason, cause=error.message)
            modes = ()
        self._pipelines = {
            (mode.source_language, mode.target_language): apertium.Apertium(
                mode, request_timeout_s=back_translation_timeout_s
            )
            for mode in modes
        }

    def warm(self, pairs: set[str]) -> None:
        """Starts the way back of each of `pairs` ("en>es") that has one."""
        for (source, target), pipeline in self._pipelines.items():
            if f"{target}>{source}" in pairs:
                try:
                    pipeline.start()
                except GlossaError as error:
                    log.warning("no_back_translation", reason=error.reason, cause=error.message)

    def score(self, pairs: Sequence[Pair]) -> list[tuple[Signal, ...]]:
        scores = []
        for pair in pairs:
            measured = _Measured(pair, self._second_tier, self._chrf)
            scores.append(
                tuple(_bounded(name, *_SIGNALS[name](measured)) for name in self.signal_names)
            )
        return scores

    def close(self) -> None:
        for pipeline in self._pipelines.values():
            pipeline.close()

    def _second_tier(self, measured: _Measured) -> _Back | _NotBack:
        if self._back_translation == "never":
            return _NotBack("SWITCHED_OFF")
        if self._back_translation == "doubtful" and not measured.is_doubtful:
            return _NotBack("NOT_DOUBTFUL")
        return self._translate_back(measured.pair)

    def _translate_back(self, pair: Pair) -> _Back | _NotBack:
        pipeline = self._pipelines.get((pair.target_language, pair.source_language))
        if pipeline is None:
            return _NotBack("UNSUPPORTED_LANGUAGE_PAIR")
        if time.monotonic() < self._resting_until.get(pipeline.mode, 0.0):
            return _NotBack("RESTING")
        try:
            translation = pipeline.translate(pair.target_text)
        except GlossaError as error:
            self._resting_until[pipeline.mode] = time.monotonic() + REST_AFTER_FAILURE_S
            log.warning("no_back_translation", reason=error.reason, cause=error.message)
            return _NotBack(error.reason)
        finally:
            metrics.ENGINE_RESTARTS.set(sum(p.restarts for p in self._pipelines.values()))
        metrics.UNKNOWN_WORDS.inc(len(translation.unknown_words))
        return _Back(
            translation.text, len(translation.unknown_words), f"apertium/{pipeline.mode.name}"
        )


class _Measured:
    """One pair; what several signals need is worked out once, and only if one of them is wanted."""

    def __init__(
        self, pair: Pair, translate_back: Callable[[_Measured], _Back | _NotBack], chrf: CHRF
    ) -> None:
        self.pair = pair
        self._translate_back = translate_back
        self._chrf = chrf

    @cached_property
    def back(self) -> _Back | _NotBack:
        return self._translate_back(self)

    @property
    def is_doubtful(self) -> bool:
        """Whether a rule speaks against the pair, its way back left aside."""
        values = ((getattr(self, name), least) for name, least in _UNDOUBTED.items())
        return any(value is not None and value < least for value, least in values)

    @cached_property
    def length_ratio(self) -> float | None:
        return signals.length_ratio(self.pair.source_text, self.pair.target_text)

    @cached_property
    def copied_through(self) -> float | None:
        return signals.copied_through(self.pair.source_text, self.pair.target_text)

    @cached_property
    def number_parity(self) -> float | None:
        return parity.number_parity(*_in_order(self.pair))

    @cached_property
    def negation_parity(self) -> float | None:
        return parity.negation_parity(*_in_order(self.pair))

    @cached_property
    def bible_references(self) -> float | None:
        return parity.bible_references(*_in_order(self.pair))

    @cached_property
    def glossary_terms(self) -> float | None:
        return signals.glossary_terms(self.pair.required_terms, self.pair.missing_terms)

    @cached_property
    def repetition(self) -> float | None:
        return signals.repetition(self.pair.source_text, self.pair.target_text)

    @cached_property
    def unknown_word_rate(self) -> float | None:
        """1 minus the share of the target's words that Apertium does not know."""
        words = len(_COMPARED.findall(self.pair.target_text))
        if isinstance(self.back, _NotBack) or not words:
            return None
        return max(0.0, 1.0 - self.back.unknown_words / words)

    @cached_property
    def back_translation(self) -> float | None:
        if isinstance(self.back, _NotBack):
            return None
        source, back = (
            " ".join(_COMPARED.findall(text)) for text in (self.pair.source_text, self.back.text)
        )
        if not source:
            return None
        return float(self._chrf.sentence_score(back, [source]).score) / 100

    @cached_property
    def heuristic_quality(self) -> float | None:
        if self.back_translation is None:
            return None
        quality = min(1.0, max(0.0, (self.back_translation - NOT_BACK) / (WELL_BACK - NOT_BACK)))
        if self.number_parity is not None:
            quality *= self.number_parity
        if self.negation_parity == 0.0:
            quality *= NEGATION_FACTOR
        for share in (self.copied_through, self.length_ratio):
            if share is not None:
                quality *= min(1.0, 2 * share)
        return quality

    def model_with_back(self, method: str) -> str:
        """`method`, with what translated back, or with why nothing did."""
        if isinstance(self.back, _NotBack):
            return f"{method}: {self.back.reason}"
        return f"{method}+{self.back.model}"


# In the order in which they are reported.
_SIGNALS: dict[str, Callable[[_Measured], tuple[float | None, str]]] = {
    "length_ratio": lambda pair: (pair.length_ratio, _TEXTS),
    "copied_through": lambda pair: (pair.copied_through, _TEXTS),
    "unknown_word_rate": lambda pair: (pair.unknown_word_rate, pair.model_with_back("marks")),
    "number_parity": lambda pair: (pair.number_parity, _WORD_LISTS),
    "negation_parity": lambda pair: (pair.negation_parity, _WORD_LISTS),
    "bible_references": lambda pair: (pair.bible_references, _BOOK_NAMES),
    "glossary_terms": lambda pair: (pair.glossary_terms, _TERMS),
    "repetition": lambda pair: (pair.repetition, _RUNS),
    "back_translation": lambda pair: (pair.back_translation, pair.model_with_back("chrf")),
    "heuristic_quality": lambda pair: (pair.heuristic_quality, pair.model_with_back(_QUALITY)),
}
_NEEDING_THE_WAY_BACK = {"unknown_word_rate", "back_translation", "heuristic_quality"}


def _in_order(pair: Pair) -> tuple[str, str, str, str]:
    return pair.source_text, pair.target_text, pair.source_language, pair.target_language


def _bounded(name: str, value: float | None, model: str) -> Signal:
    return Signal(name, None if value is None else min(1.0, max(0.0, value)), model)
