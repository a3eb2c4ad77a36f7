"""How far a translation agrees with an independent one, made of the same source by a Marian model.

The independent translation is the one that came with the pair, where a Marian model made it; else
the service's own Marian makes it. Both are compared by the cosine of their sentence embeddings or,
without an embedding model, by chrF++ (Popović 2017, with the settings of sacrebleu). The two scales
differ, so a signal names its method.

Agreement tells a translation from another text. It does not see a negation or one wrong word: near
copies with such an error score 0.9 and above. That is what the rules are for, beside it.

A model's agreement with itself tells nothing and is unset; so is what could not be compared as a
whole, with the reason in place of the method.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from services import marian
from services.errors import GlossaError, Unavailable
from services.qe import signals
from services.qe.engine import Pair, Signal
from services.qe.engines.comparison import ChrfPlusPlus, Comparison, Cosine

if TYPE_CHECKING:
    from services.qe.settings import QeSettings

log = structlog.get_logger()

NAME = "agreement"
SIGNAL = "marian_agreement"
# A text of which less is new than this loops: its model ran away (see signals.repetition).
_LEAST_NEW = 0.5


def load(settings: QeSettings) -> AgreementEngine:
    """Loads what the settings name; without a Marian model, only what comes along is compared with.

    Raises:
        Unavailable: ENGINE_MISSING, MODEL_MISSING, NO_CARD, each for the Marian model.
        EngineFailed: it cannot be loaded.
    """
    # Both models are quick on a CPU, and a card has little room beside the others.
    device = "cuda" if settings.device == "cuda" else "cpu"
    models = _marian_models(settings, device) if settings.marian_model else {}
    wanted = {tuple(pair.strip().split(">", 1)) for pair in settings.warm_pairs.split(",")}
    for direction, model in models.items():
        if direction in wanted:
            model.open()
    comparison: Comparison = ChrfPlusPlus()
    if settings.embedding_model:
        try:
            comparison = Cosine.load(
                settings.embedding_model, settings.models_dir, device, settings.threads
            )
        except GlossaError as error:
            log.error(
                "no_embedding_model",
                reason=error.reason,
                message=error.message,
                instead=comparison.name,
            )
    return AgreementEngine(models, comparison)


def _marian_models(settings: QeSettings, device: str) -> dict[marian.Direction, marian.Model]:
    try:
        if device == "cuda" and not marian.has_cuda():
            raise Unavailable(
                "NO_CARD", "CTranslate2 finds no NVIDIA card; set GLOSSA_QE_DEVICE=cpu"
            )
        placement = marian.Placement(device, marian.compute_types(device)[0], settings.threads)
        return marian.models_by_direction(settings.marian_model, settings.models_dir, (), placement)
    except ModuleNotFoundError as error:
        raise Unavailable(
            "ENGINE_MISSING",
            f"translating with Marian needs the module {error.name}: pip install -e '.[marian]'",
            engine=NAME,
        ) from error


@dataclass(frozen=True)
class _Independent:
    """A translation to compare with, and the model that made it."""

    text: str
    model: str


@dataclass(frozen=True)
class _Unset:
    """Why there is nothing to compare with, as a reason in capitals."""

    reason: str


class AgreementEngine:
    """Marian models by direction, loaded with their first text, and a comparison."""

    name = NAME
    signal_names = (SIGNAL,)

    def __init__(
        self, models: dict[marian.Direction, marian.Model], comparison: Comparison
    ) -> None:
        self._models = models
        self._comparison = comparison
        names = sorted({marian.model_name(model.folder) for model in models.values()})
        self.model = " vs ".join([comparison.name, *([", ".join(names)] if names else [])])

    def score(self, pairs: Sequence[Pair]) -> list[tuple[Signal, ...]]:
        others = self._independent(pairs)
        texts = {
            at: (pairs[at].target_text, other.text)
            for at, other in enumerate(others)
            if isinstance(other, _Independent)
        }
        compared = self._comparison.values(list(texts.values())) if texts else []
        values = dict(zip(texts, compared, strict=True))
        return [(self._signal(other, values.get(at)),) for at, other in enumerate(others)]

    def close(self) -> None:
        for model in self._models.values():
            model.close()

    def _signal(self, other: _Independent | _Unset, value: float | None) -> Signal:
        if isinstance(other, _Unset):
            return Signal(SIGNAL, None, f"{NAME}: {other.reason}")
        method = self._comparison.name
        if value is None:
            return Signal(SIGNAL, None, f"{method}: TEXT_TOO_LONG")
        if math.isnan(value):
            return Signal(SIGNAL, None, f"{method}: NOT_A_NUMBER")
        return Signal(SIGNAL, min(1.0, max(0.0, value)), f"{method} vs {other.model}")

    def _independent(self, pairs: Sequence[Pair]) -> list[_Independent | _Unset]:
        """What each translation is compared with, in order."""
        others: dict[int, _Independent | _Unset] = {}
        waiting: dict[marian.Direction, list[int]] = {}
        for at, pair in enumerate(pairs):
            direction = (pair.source_language, pair.target_language)
            if _came_along(pair):
                others[at] = _checked(
                    pair, _Independent(pair.independent_text, pair.independent_model)
                )
            elif not self._models:
                others[at] = _Unset("NO_MODEL")
            elif direction not in self._models:
                others[at] = _Unset("UNSUPPORTED_LANGUAGE_PAIR")
            elif marian.model_name(self._models[direction].folder) == pair.target_model:
                others[at] = _Unset("SAME_MODEL")
            else:
                waiting.setdefault(direction, []).append(at)
        for direction, indices in waiting.items():
            translated = self._translated(direction, [pairs[at].source_text for at in indices])
            for at, made in zip(indices, translated, strict=True):
                others[at] = _checked(pairs[at], made)
        return [others[at] for at in range(len(pairs))]

    def _translated(
        self, direction: marian.Direction, sources: Sequence[str]
    ) -> list[_Independent | _Unset]:
        """What the service's own model makes of texts, all of them at once."""
        model = self._models[direction]
        units = [model.units(source) for source in sources]
        if flat := [unit for of_text in units for unit in of_text]:
            model.decode(flat, direction[1], beam_size=marian.FINAL_BEAM_SIZE)
        return [_whole(model, of_text) for of_text in units]


def _came_along(pair: Pair) -> bool:
    """Whether the pair brought a Marian translation that is not its own."""
    return (
        bool(pair.independent_text.strip())
        and pair.independent_model.startswith(f"{marian.NAME}/")
        and pair.independent_model != pair.target_model
    )


def _whole(model: marian.Model, units: Sequence[marian.Unit]) -> _Independent | _Unset:
    if not all(unit.is_whole for unit in units):
        return _Unset("SOURCE_TOO_LONG")
    if any(unit.is_cut_off for unit in units):
        return _Unset("RAN_AWAY")
    return _Independent(model.text(units), marian.model_name(model.folder))


def _checked(pair: Pair, other: _Independent | _Unset) -> _Independent | _Unset:
    if isinstance(other, _Unset):
        return other
    if not other.text.strip():
        return _Unset("NO_TRANSLATION")
    if signals.repetition(pair.source_text, other.text) < _LEAST_NEW:
        return _Unset("RAN_AWAY")
    return other
