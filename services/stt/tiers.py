"""The recognisers of the service by what they are for, each replaceable while it is in use."""

from __future__ import annotations

import asyncio
import contextlib
import os.path
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import prometheus_client
import structlog

from services.errors import (
    GlossaError,
    InvalidInput,
    NotFound,
    OutOfMemory,
    WrongState,
)
from services.stt.engine import ENGINES, EngineOptions, loader
from services.stt.recogniser import Recogniser
from services.stt.settings import SttSettings
from services.stt.smoke import smoke_test, warm_up
from services.swap import Swap

log = structlog.get_logger()

# "final" decodes closed segments, "partial" the open one, "fallback" doubtful finals once more.
TIERS = ("final", "partial", "fallback")
# A stopping engine has this long to end what it decodes.
_CLOSE_TIMEOUT_S = 5.0

MODEL_LOADS = prometheus_client.Counter(
    "glossa_stt_model_loads_total", "Models asked for while serving, by outcome.", ["outcome"]
)


@dataclass(frozen=True)
class ModelInUse:
    """A tier's model, as GetModel names it."""

    tier: str
    engine: str
    model: str


@dataclass(frozen=True)
class Replacement:
    """What LoadModel and Rollback did."""

    current: ModelInUse
    previous: ModelInUse
    load_ms: float


@dataclass(frozen=True)
class _Choice:
    """What a loader is told of a model."""

    engine: str
    model: str


class _Tier:
    def __init__(self, name: str, choice: _Choice, recogniser: Recogniser) -> None:
        self.name = name
        self.swap = Swap(recogniser)
        self.choice = choice
        self.previous: _Choice | None = None
        self.draining: asyncio.Task[None] | None = None  # closes the model before

    @property
    def in_use(self) -> ModelInUse:
        recogniser = self.swap.current
        return ModelInUse(self.name, recogniser.engine_name, recogniser.model_name)


class Tiers:
    """The recognisers: always one for finals, others where the settings name them."""

    def __init__(self, settings: SttSettings) -> None:
        self._settings = settings
        self._tiers: dict[str, _Tier] = {}
        self._spoken: Counter[str] = Counter()  # languages of the open streams
        self._replacing: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def loaded(self) -> AsyncIterator[Tiers]:
        """Loads and warms all of them; ready inside.

        Raises:
            Unavailable: what a loader says is missing.
        """
        settings = self._settings
        chosen = {"final": _Choice(settings.engine, settings.model)}
        if settings.partial_engine or settings.partial_model:
            engine = settings.partial_engine or settings.engine
            chosen["partial"] = _Choice(engine, settings.partial_model)
        if settings.fallback_model:
            chosen["fallback"] = _Choice(settings.engine, settings.fallback_model)
        try:
            for name, choice in chosen.items():
                recogniser = await asyncio.to_thread(self._open, name, choice)
                self._tiers[name] = _Tier(name, choice, recogniser)
                await warm_up(recogniser, self._workers(name))
                log.info("engine_loaded", tier=name, model=recogniser.label)
            yield self
        finally:
            for task in self._replacing:
                task.cancel()
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                for tier in self._tiers.values():
                    await tier.swap.close()

    @property
    def final(self) -> Swap[Recogniser]:
        return self._tiers["final"].swap

    def for_partials(self, language: str) -> Swap[Recogniser]:
        """The one of partials, or that of finals where it does not know the language."""
        return self._knowing("partial", language) or self.final

    def fallback(self, language: str) -> Swap[Recogniser] | None:
        return self._knowing("fallback", language)

    @property
    def in_use(self) -> tuple[ModelInUse, ...]:
        """The model of each tier, that of finals first."""
        return tuple(tier.in_use for tier in self._tiers.values())

    @contextlib.contextmanager
    def speaking(self, language: str) -> Iterator[None]:
        """While a stream is open in one of the languages of finals."""
        self._spoken[language] += 1
        try:
            yield
        finally:
            self._spoken[language] -= 1

    async def load(self, tier_name: str, engine: str, model: str) -> Replacement:
        """Takes another model into use; the old one serves until then, and stays when this fails.

        A caller that goes away does not stop it.

        Args:
            tier_name: of TIERS; "final" when empty.
            engine: a name in ENGINES; the present one when empty.
            model: below models_dir; empty for the engine's own.

        Raises:
            NotFound: NO_SUCH_TIER.
            InvalidInput: MODEL_MISSING; UNSUPPORTED_LANGUAGE, of an open stream.
            WrongState: LOAD_IN_PROGRESS, SMOKE_TEST_FAILED.
            Unavailable: UNKNOWN_ENGINE, ENGINE_NOT_INSTALLED, MODEL_MISSING (a file of it),
                OUT_OF_MEMORY, ENGINE_FAILED.
        """
        tier = self._tier(tier_name)
        engine = engine or tier.choice.engine
        return await self._replace(tier, _Choice(engine, self._below_models_dir(engine, model)))

    async def rollback(self, tier_name: str) -> Replacement:
        """Loads the model that was in use before, as `load` does.

        Raises:
            WrongState: NOTHING_TO_ROLL_BACK; and what `load` raises.
        """
        tier = self._tier(tier_name)
        if tier.previous is None:
            raise WrongState(
                "NOTHING_TO_ROLL_BACK",
                f"the {tier.name} model was never replaced since the service started",
                tier=tier.name,
            )
        return await self._replace(tier, tier.previous)

    def _tier(self, name: str) -> _Tier:
        tier = self._tiers.get(name or "final")
        if tier is None:
            raise NotFound(
                "NO_SUCH_TIER",
                f"no model is in use for {name!r}; there are: {', '.join(self._tiers)}. The "
                "others need GLOSSA_STT_PARTIAL_MODEL or GLOSSA_STT_FALLBACK_MODEL at the start",
                tier=name,
            )
        return tier

    def _knowing(self, name: str, language: str) -> Swap[Recogniser] | None:
        tier = self._tiers.get(name)
        if tier is None or language not in tier.swap.current.capabilities.languages:
            return None
        return tier.swap

    def _workers(self, tier_name: str) -> int:
        return self._settings.final_workers if tier_name == "final" else 1

    def _open(self, tier_name: str, choice: _Choice) -> Recogniser:
        settings = self._settings
        makes_partials = tier_name == "partial" or (
            tier_name == "final" and not (settings.partial_engine or settings.partial_model)
        )
        options = EngineOptions(
            model=choice.model,
            models_dir=settings.models_dir,
            device=settings.device,
            compute_type=settings.compute_type,
            threads=settings.threads,
            final_workers=self._workers(tier_name),
            live_decoders=settings.live_decoders if makes_partials else 0,
            # A model of their own is there to be quick.
            beam_size=1 if tier_name == "partial" else EngineOptions.beam_size,
        )
        try:
            engine = loader(choice.engine)(options)
        except MemoryError as error:
            raise OutOfMemory(f"there is no memory for {choice.engine} {choice.model}") from error
        return Recogniser(
            engine,
            final_workers=options.final_workers,
            # Those of finals stand in where the ones of partials do not know a language.
            live_decoders=settings.live_decoders if tier_name != "fallback" else 0,
        )

    def _below_models_dir(self, engine: str, model: str) -> str:
        """What a loader is told for a model that a caller named: nothing outside the folder."""
        entry = ENGINES.get(engine)
        if entry is not None and entry.own_model and model in ("", entry.own_model):
            return ""
        folder = os.path.abspath(self._settings.models_dir)
        path = os.path.normpath(os.path.join(folder, model))
        is_below = bool(model) and path != folder and os.path.commonpath([folder, path]) == folder
        candidates = (Path(path), Path(folder, Path(path).name)) if is_below else ()
        found = next((candidate for candidate in candidates if candidate.exists()), None)
        if found is None:
            raise InvalidInput(
                "MODEL_MISSING",
                f"there is no model {model!r} below {folder}; ./glossa models list shows those "
                "that there are, ./glossa models pull gets others",
                model=model,
                models_dir=folder,
            )
        return str(found)

    async def _replace(self, tier: _Tier, choice: _Choice) -> Replacement:
        started_at = time.monotonic()
        previous, previous_choice = tier.in_use, tier.choice
        in_use: asyncio.Future[Replacement] = asyncio.get_running_loop().create_future()
        # Without this a failure whose caller is gone would be reported as a defect.
        in_use.add_done_callback(lambda done: done.cancelled() or done.exception())

        async def make() -> Recogniser:
            recogniser = await asyncio.to_thread(self._open, tier.name, choice)
            try:
                spoken = [language for language, count in self._spoken.items() if count]
                known = recogniser.capabilities.languages
                await smoke_test(recogniser, [one for one in spoken if one in known])
                await warm_up(recogniser, self._workers(tier.name))
                if tier.name == "final":
                    self._check_spoken(recogniser)
            except BaseException:
                await asyncio.shield(asyncio.to_thread(recogniser.close))
                raise
            # From here to its use nothing else runs.
            tier.choice, tier.previous = choice, previous_choice
            load_ms = (time.monotonic() - started_at) * 1000
            current = ModelInUse(tier.name, recogniser.engine_name, recogniser.model_name)
            in_use.set_result(Replacement(current, previous, load_ms))
            return recogniser

        async def replace() -> None:
            try:
                await tier.swap.replace(make)
            except GlossaError as error:
                if in_use.done():
                    log.warning("model_not_closed", tier=tier.name, reason=error.reason)
                else:
                    in_use.set_exception(error)

        if tier.draining is not None:  # the last decodes of the model before that one
            await asyncio.wait({tier.draining})
        task = asyncio.create_task(replace())
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)
        try:
            waited: set[asyncio.Future[Any]] = {task, in_use}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if not in_use.done():
                task.result()  # raises what is no GlossaError: a defect
            done = await in_use
        except GlossaError as error:
            MODEL_LOADS.labels(error.reason.lower()).inc()
            log.warning("model_not_loaded", tier=tier.name, reason=error.reason)
            raise
        tier.draining = task
        MODEL_LOADS.labels("loaded").inc()
        log.info("engine_loaded", tier=tier.name, model=done.current.model, ms=round(done.load_ms))
        return done

    def _check_spoken(self, recogniser: Recogniser) -> None:
        """Refuses a model that an open stream could not go on with."""
        known = recogniser.capabilities.languages
        for language, count in self._spoken.items():
            if count and language not in known:
                raise InvalidInput(
                    "UNSUPPORTED_LANGUAGE",
                    f"{recogniser.label} does not know {language!r}, which is being spoken now; "
                    "load it when those streams have ended",
                    language=language,
                    supported=",".join(known),
                )
