"""An engine that is loaded, with the one thread that may use it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog

from services.errors import EngineFailed, GlossaError, OutOfMemory
from services.mt import engine as engines
from services.mt import metrics
from services.mt.engine import Engine, EngineOptions, Job, Rendering, Task
from services.mt.glossary import Applied, Glossary, Term
from services.mt.task import TextTask
from services.mt.terms_alone import TermsAlone

log = structlog.get_logger()

Result = TypeVar("Result")

# An engine that was told the terms writes each missing one in a call of its own: not too many.
_RENDERINGS_PER_TEXT = 4
# After a batch that did not fit, smaller ones for so long.
_SMALLER_BATCHES_S = 60.0


@dataclass(frozen=True)
class Choice:
    """A runtime and what its loader is told."""

    runtime: str
    options: EngineOptions


@dataclass(frozen=True)
class Answer:
    """What an engine made of one text.

    Args:
        model: runtime and model.
        generation_ms: time in the engine; of the whole batch, when it was one.
    """

    applied: Applied
    model: str
    generation_ms: float


class LoadedEngine:
    """One engine; made by `load`, ended by `close`."""

    def __init__(self, choice: Choice, engine: Engine, thread: ThreadPoolExecutor) -> None:
        self.choice = choice
        self.engine = engine
        self._thread = thread
        self._terms_alone = TermsAlone(self._translated_alone)
        self._batch_limit = engine.capabilities.max_batch
        self._limited_until = 0.0

    @classmethod
    async def load(cls, choice: Choice) -> LoadedEngine:
        """Loads it in a thread of its own; cancelled, it is closed as soon as it is there.

        Raises:
            GlossaError: what loader and library say; EngineFailed for anything else.
        """
        # One thread: an engine is never asked twice at once.
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"mt-{choice.runtime}")
        loading = thread.submit(lambda: _load(choice))
        try:
            return cls(choice, await asyncio.wrap_future(loading), thread)
        except BaseException:
            loading.add_done_callback(_close_unused)
            thread.shutdown(wait=False)
            raise

    @property
    def max_batch(self) -> int:
        if time.monotonic() >= self._limited_until:
            self._batch_limit = self.engine.capabilities.max_batch
        return self._batch_limit

    async def translate(self, tasks: Sequence[TextTask]) -> list[Answer | Exception]:
        """What the engine made of each text, terms put in place, or the error that it met."""
        return await self._in_thread(lambda: self._translate(tasks))

    def close(self) -> None:
        """Blocks until what the engine is doing is done and it is closed."""
        try:
            self._thread.submit(self.engine.close).result()
        finally:
            self._thread.shutdown(wait=False)

    def _in_thread(self, work: Callable[[], Result]) -> asyncio.Future[Result]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _translate(self, tasks: Sequence[TextTask]) -> list[Answer | Exception]:
        """In the engine's thread, as everything below."""
        started_at = time.monotonic()
        renderings = self._render(tasks)
        generation_ms = (time.monotonic() - started_at) * 1000
        answers = [
            rendering
            if isinstance(rendering, Exception)
            else Answer(
                self._with_terms(task, rendering),
                rendering.model or self.engine.model(task.job.pair),
                generation_ms,
            )
            for task, rendering in zip(tasks, renderings, strict=True)
        ]
        took_s = time.monotonic() - started_at
        for _ in tasks:
            metrics.ENGINE_SECONDS.observe(took_s)
        return answers

    def _render(self, tasks: Sequence[Task]) -> list[Rendering | Exception]:
        """A batch that failed is done again in halves: one text must not fail the others."""
        half = len(tasks) // 2
        try:
            return list(self._called(tasks))
        except GlossaError as error:
            if not half:
                return [error]
            if isinstance(error, OutOfMemory):
                self._batch_limit = half
                self._limited_until = time.monotonic() + _SMALLER_BATCHES_S
                log.warning("batch_too_large", texts=len(tasks), next_texts=half)
        # Outside of the handler: the error holds what the engine had in hand, memory included.
        return [*self._render(tasks[:half]), *self._render(tasks[half:])]

    def _called(self, tasks: Sequence[Task]) -> list[Rendering]:
        try:
            renderings = self.engine.translate(tasks)
        except GlossaError:
            raise
        except MemoryError as error:
            raise OutOfMemory(f"{self.engine.name} had no memory for a text") from error
        except Exception as error:
            # Not in the contract; the text of such an error may quote the sermon.
            log.warning("engine_broke", runtime=self.engine.name, error=type(error).__name__)
            log.debug("engine_broke", exc_info=error)
            raise EngineFailed(
                f"{self.engine.name} broke with {type(error).__name__}", engine=self.engine.name
            ) from error
        if len(renderings) != len(tasks):
            raise EngineFailed(
                f"{self.engine.name} gave {len(renderings)} answers for {len(tasks)} texts"
            )
        return renderings

    def _with_terms(self, task: TextTask, rendering: Rendering) -> Applied:
        job = task.job
        if not task.is_wanted:
            return Applied(rendering)
        if self.engine.capabilities.places_terms:
            return _placed_already(task, rendering)
        was_told = self.engine.capabilities.uses_context
        # A draft of a slow engine is shown as it is: the prompt asked for the terms.
        allowed = math.inf if not was_told else 0 if job.draft else _RENDERINGS_PER_TEXT

        return task.glossary.apply(
            job.text,
            rendering,
            self._terms_alone.renderer(job.pair, allowed),
            was_told=was_told,
            committed_text=job.committed_text,
        )

    def _translated_alone(self, job: Job) -> str:
        (rendering,) = self._called([_TermTask(job)])
        return rendering.text


@dataclass(frozen=True)
class _TermTask:
    job: Job
    glossary: Glossary = field(default_factory=Glossary)
    is_wanted: bool = True

    def tell(self, text: str, token_count: int) -> None:
        """Nobody listens: the whole of it is wanted."""


def _placed_already(task: TextTask, rendering: Rendering) -> Applied:
    """What an engine that puts terms in place itself has kept, placed and missed."""
    applied = task.glossary.apply(
        task.job.text,
        rendering,
        lambda _: "",
        was_told=True,
        committed_text=task.job.committed_text,
    )
    placed = min(applied.kept, len(rendering.placed_terms))
    changed = [Term(term.source, term.target) for term in rendering.placed_terms]
    return replace(
        applied,
        terms=tuple(dict.fromkeys((*changed, *applied.terms))),
        kept=applied.kept - placed,
        placed=placed,
    )


def beside(choice: Choice, runtime: str, model: str) -> Choice:
    """Another runtime or model with the same device and limits."""
    return Choice(
        runtime,
        replace(
            choice.options,
            model=model,
            # It drafts for one model alone.
            speculative_model="",
            # A number format means something else in every runtime.
            compute_type=choice.options.compute_type if runtime == choice.runtime else "auto",
        ),
    )


def _load(choice: Choice) -> Engine:
    try:
        return engines.loader(choice.runtime)(choice.options)
    except GlossaError:
        raise
    except MemoryError as error:
        raise OutOfMemory(f"{choice.runtime}: there is no memory for the model") from error
    except Exception as error:
        log.debug("engine_does_not_start", exc_info=error)
        raise EngineFailed(
            f"the translation runtime {choice.runtime} does not start: "
            f"{type(error).__name__}: {error}",
            engine=choice.runtime,
        ) from error


def _close_unused(loading: Future[Engine]) -> None:
    if not loading.cancelled() and loading.exception() is None:
        loading.result().close()
