"""Marian models (see services.marian), one direction each.

Drafts are decoded greedily, told token by token and can be stopped; finals are decoded with a beam,
which tells nothing before its end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

# Both wanted here already, so that a missing one is told by its name.
import ctranslate2  # noqa: F401
import sentencepiece  # noqa: F401
import structlog

from services.errors import EngineFailed, Unavailable
from services.marian import (
    END,
    FINAL_BEAM_SIZE,
    NAME,
    Model,
    Placement,
    Unit,
    compute_types,
    has_cuda,
    model_name,
    models_by_direction,
)
from services.model_files import find_model
from services.mt.engine import (
    OWN_MODEL,
    RUNTIMES,
    Capabilities,
    EngineOptions,
    LanguagePair,
    Rendering,
    Task,
)
from services.mt.engines.failures import as_engine_failed, no_such_device

log = structlog.get_logger()


def load(options: EngineOptions) -> MarianEngine:
    options = replace(options, model=_model(options))
    found = models_by_direction(
        options.model,
        options.models_dir,
        [(pair.source, pair.target) for pair in options.pairs],
        placement(options),
    )
    models = {LanguagePair(*direction): model for direction, model in found.items()}
    missing = [str(pair) for pair in options.pairs if pair not in models]
    if missing:
        raise Unavailable(
            "MODEL_MISSING",
            f"the Marian models in {find_model(options.model, options.models_dir)} do not "
            f"translate {', '.join(missing)}; they translate "
            f"{', '.join(map(str, sorted(models))) or 'nothing that their folders name'}. A "
            "folder's name tells its direction, as in opus-mt-en-es",
            model=options.model,
        )
    for pair in options.pairs:
        models[pair].open()
    return MarianEngine(models, options.max_batch)


def _model(options: EngineOptions) -> str:
    """The model wanted, or the own one where the usual one was not pulled."""
    if options.model == RUNTIMES[NAME].model:
        try:
            find_model(options.model, options.models_dir)
        except Unavailable as missing:
            with contextlib.suppress(Unavailable):
                find_model(OWN_MODEL, options.models_dir)
                log.warning("usual_model_missing", message=missing.message, instead=OWN_MODEL)
                return OWN_MODEL
    return options.model


def placement(options: EngineOptions) -> Placement:
    """Raises EngineFailed: there is no such device, or it cannot compute so."""
    device = options.device
    if device == "auto":
        device = "cuda" if has_cuda() else "cpu"
    elif device == "cuda" and not has_cuda():
        raise no_such_device(NAME, device)
    supported = compute_types(device)
    compute_type = supported[0] if options.compute_type == "auto" else options.compute_type
    if compute_type not in supported:
        raise EngineFailed(
            f"marian cannot compute in {compute_type} on {device} here; set "
            f"GLOSSA_MT_COMPUTE_TYPE to auto or one of {', '.join(sorted(supported))}",
            engine=NAME,
        )
    return Placement(device, compute_type, options.threads)


class MarianEngine:
    """Models by direction; one that is not warmed is loaded with its first text."""

    name = NAME
    restarts = 0

    def __init__(self, models: dict[LanguagePair, Model], max_batch: int) -> None:
        self._models = models
        self.capabilities = Capabilities(
            pairs=tuple(sorted(models)),
            streams=True,
            continues_text=True,
            max_batch=max_batch,
        )

    def model(self, pair: LanguagePair) -> str:
        return model_name(self._models[pair].folder)

    def translate(self, tasks: Sequence[Task]) -> list[Rendering]:
        renderings: dict[int, Rendering] = {}
        # Texts of one direction and tier are decoded together.
        groups: dict[tuple[LanguagePair, bool], list[int]] = {}
        for index, task in enumerate(tasks):
            groups.setdefault((task.job.pair, task.job.draft), []).append(index)
        with as_engine_failed(self.name, "translate"):
            for (pair, is_draft), indexes in groups.items():
                batch = _Batch(self._models[pair], pair, [tasks[index] for index in indexes])
                batch.decode_drafts() if is_draft else batch.decode_finals()
                renderings.update(zip(indexes, batch.renderings(), strict=True))
        return [renderings[index] for index in range(len(tasks))]

    def close(self) -> None:
        for model in self._models.values():
            model.close()


class _Batch:
    """Tasks of one model, cut into units."""

    def __init__(self, model: Model, pair: LanguagePair, tasks: Sequence[Task]) -> None:
        self._model = model
        self._target = pair.target
        self._tasks = tasks
        self._units = [model.units(task.job.text, task.job.committed_text) for task in tasks]
        self._waiting = [
            (task, unit)
            for task, units in zip(tasks, self._units, strict=True)
            if task.is_wanted
            for unit in units
        ]

    def decode_finals(self) -> None:
        if not self._waiting:
            return
        self._model.decode(
            [unit for _, unit in self._waiting], self._target, beam_size=FINAL_BEAM_SIZE
        )
        for task, units in zip(self._tasks, self._units, strict=True):
            if task.is_wanted:
                task.tell(self._text(task, units), sum(len(unit.tokens) for unit in units))

    def decode_drafts(self) -> None:
        if not self._waiting:
            return
        units_of = {id(task): units for task, units in zip(self._tasks, self._units, strict=True)}

        # Called by CTranslate2's thread while this one waits for it, so never by both at once.
        def told(step: Any) -> bool:
            task, unit = self._waiting[step.batch_id]
            new_tokens = 0
            if step.token == END:
                unit.is_ended = True
            elif step.step >= len(unit.prefix):
                unit.tokens.append(step.token)
                new_tokens = 1
            task.tell(self._text(task, units_of[id(task)]), new_tokens)
            return not task.is_wanted or unit.is_cut_off

        self._model.decode(
            [unit for _, unit in self._waiting], self._target, beam_size=1, callback=told
        )

    def renderings(self) -> Iterator[Rendering]:
        for task, units in zip(self._tasks, self._units, strict=True):
            yield Rendering(
                self._text(task, units),
                unknown_words=self._model.unknown_words(units),
                token_count=sum(len(unit.tokens) for unit in units),
                hit_token_limit=any(unit.is_cut_off for unit in units),
            )

    def _text(self, task: Task, units: Sequence[Unit]) -> str:
        return self._model.text(units, task.job.committed_text)
