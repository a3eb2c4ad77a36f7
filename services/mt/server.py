"""The gRPC face of mt: checks what comes in, waits for the engine, puts the glossary's terms in."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import grpc
import structlog

from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from glossa.types.v1 import models_pb2, models_pb2_grpc, types_pb2
from services.errors import GlossaError, InvalidInput, Unavailable
from services.mt import engine as engines
from services.mt import glossary as glossaries
from services.mt import metrics
from services.mt.engine import Earlier, Engine, EngineOptions, Job, LanguagePair
from services.mt.glossary import Applied, Glossary, Term
from services.mt.queue import WorkQueue
from services.mt.settings import MtSettings

log = structlog.get_logger()

MAX_TEXT_CHARACTERS = 2000
MAX_TERMS = 500
MAX_TERM_CHARACTERS = 200
MAX_CONTEXT_PAIRS = 8
RENDERINGS_KEPT = 4096

Result = TypeVar("Result")


@dataclass(frozen=True)
class _Request:
    job: Job
    terms: tuple[Term, ...]


class MtApp:
    """mt as `services.serving.run` runs it."""

    name = "mt"
    service_names = ("glossa.mt.v1.MtService", "glossa.types.v1.ModelService")

    def __init__(self, settings: MtSettings) -> None:
        self._settings = settings
        self._translator: Translator | None = None
        self._draining = False

    def register(self, server: grpc.aio.Server) -> None:
        mt_pb2_grpc.add_MtServiceServicer_to_server(_MtServicer(self), server)
        models_pb2_grpc.add_ModelServiceServicer_to_server(_ModelServicer(self), server)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        # One thread: an engine is never asked twice at once.
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mt-engine")

        def in_thread(work: Callable[[], Result]) -> asyncio.Future[Result]:
            return loop.run_in_executor(thread, work)

        try:
            terms = await in_thread(lambda: glossaries.read(self._settings.glossary_file))
            load = engines.loader(self._settings.runtime)
            options = EngineOptions(
                model=self._settings.model,
                models_dir=self._settings.models_dir,
                pairs=self._settings.language_pairs(),
                request_timeout_s=self._settings.request_timeout_s,
            )
            engine = await in_thread(lambda: load(options))
            try:
                queue: WorkQueue[Applied] = WorkQueue(self._settings.queue_size, in_thread)
                pair = LanguagePair(
                    self._settings.glossary_source_language,
                    self._settings.glossary_target_language,
                )
                async with asyncio.TaskGroup() as tasks:
                    worker = tasks.create_task(queue.run())
                    self._translator = Translator(
                        engine,
                        queue,
                        {
                            pair: Glossary(terms),
                            pair.reversed(): Glossary(glossaries.reverse(terms)),
                        },
                    )
                    log.info(
                        "engine_loaded",
                        runtime=engine.name,
                        pairs=[str(pair) for pair in engine.capabilities.pairs],
                        glossary_terms=len(terms),
                    )
                    try:
                        yield
                    finally:
                        self._translator = None
                        worker.cancel()
            finally:
                # In the engine's own thread: behind what it may still be doing.
                await in_thread(engine.close)
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    async def drain(self) -> None:
        """Refuses what is new; what waits is finished while the server stops."""
        self._draining = True

    def translator(self) -> Translator:
        """The translator once it is ready. Raises Unavailable: NOT_READY, SHUTTING_DOWN."""
        if self._draining:
            raise Unavailable("SHUTTING_DOWN", "the service is shutting down")
        if self._translator is None:
            raise Unavailable("NOT_READY", "the engine is still loading")
        return self._translator


@dataclass(frozen=True)
class _Task:
    job: Job
    is_wanted: bool = True

    def tell(self, text: str, token_count: int) -> None:
        """Nobody listens yet."""


class Translator:
    """One engine, the texts that wait for it, and the glossaries of its pairs."""

    def __init__(
        self,
        engine: Engine,
        queue: WorkQueue[Applied],
        service_glossaries: dict[LanguagePair, Glossary],
    ) -> None:
        self.engine = engine
        self._queue = queue
        self._glossaries = service_glossaries
        # A term is translated alone once, when a text first holds it.
        self._rendered_alone = lru_cache(RENDERINGS_KEPT)(self._render_alone)

    def check_pair(self, source_language: str, target_language: str) -> LanguagePair:
        """The engine's pair for two BCP 47 tags, regions left aside.

        Raises:
            InvalidInput: UNSUPPORTED_LANGUAGE_PAIR, naming those that there are.
        """
        pair = LanguagePair(_primary(source_language), _primary(target_language))
        if pair not in self.engine.capabilities.pairs:
            known = ", ".join(str(known) for known in self.engine.capabilities.pairs)
            raise InvalidInput(
                "UNSUPPORTED_LANGUAGE_PAIR",
                f"cannot translate {pair}; this service translates {known}",
                pair=pair,
                supported=known,
            )
        return pair

    async def translate(self, request: _Request, timeout_s: float | None) -> Applied:
        """Raises Overloaded, DeadlinePassed, EngineFailed."""
        return await self._queue.submit(
            lambda: self._translate(request), draft=request.job.draft, timeout_s=timeout_s
        )

    def _translate(self, request: _Request) -> Applied:
        """Runs in the engine's thread."""
        job = request.job
        with metrics.ENGINE_SECONDS.time():
            try:
                (rendering,) = self.engine.translate([_Task(job)])
                glossary = self._glossaries.get(job.pair, Glossary())
                if request.terms:
                    glossary = glossary.preferring(request.terms)
                applied = glossary.apply(
                    job.text, rendering, lambda term: self._rendered_alone(term, job.pair)
                )
            finally:
                metrics.ENGINE_RESTARTS.set(self.engine.restarts)
        metrics.UNKNOWN_WORDS.inc(len(applied.rendering.unknown_words))
        return applied

    def _render_alone(self, term: str, pair: LanguagePair) -> str:
        return self.engine.translate([_Task(Job(term, pair))])[0].text


class _MtServicer(mt_pb2_grpc.MtServiceServicer):
    def __init__(self, app: MtApp) -> None:
        self._app = app

    async def Translate(
        self, request: mt_pb2.TranslateRequest, context: grpc.aio.ServicerContext
    ) -> mt_pb2.TranslateResponse:
        return await self._translate(request, context)

    async def StreamTranslate(
        self, request: mt_pb2.StreamTranslateRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[mt_pb2.StreamTranslateResponse]:
        # No runtime here gives its text piece by piece, so there is the last message alone.
        translation = await self._translate(request.request, context)
        yield mt_pb2.StreamTranslateResponse(translation=translation, is_final=True)

    async def _translate(
        self, message: mt_pb2.TranslateRequest, context: grpc.aio.ServicerContext
    ) -> mt_pb2.TranslateResponse:
        kind = "draft" if message.draft else "final"
        outcome = "CANCELLED"
        started_at = time.monotonic()
        try:
            translator = self._app.translator()
            request = _checked(message, translator)
            applied = await translator.translate(request, context.time_remaining())
            outcome = "OK"
        except GlossaError as error:
            outcome = error.reason
            raise
        finally:
            metrics.REQUESTS.labels(kind, outcome).inc()
        return mt_pb2.TranslateResponse(
            text=_with_first_letter_capital(applied.rendering.text),
            model=translator.engine.model(request.job.pair),
            glossary_terms=[
                types_pb2.GlossaryTerm(source=term.source, target=term.target)
                for term in applied.terms
            ],
            engine_ms=(time.monotonic() - started_at) * 1000,
            unknown_word_count=len(applied.rendering.unknown_words),
        )


class _ModelServicer(models_pb2_grpc.ModelServiceServicer):
    def __init__(self, app: MtApp) -> None:
        self._app = app

    async def GetModel(
        self, request: models_pb2.GetModelRequest, context: grpc.aio.ServicerContext
    ) -> models_pb2.GetModelResponse:
        engine = self._app.translator().engine
        pairs = engine.capabilities.pairs
        return models_pb2.GetModelResponse(
            engine=engine.name,
            model=", ".join(engine.model(pair).partition("/")[2] for pair in pairs),
            capabilities=[str(pair) for pair in pairs],
        )


def _checked(message: mt_pb2.TranslateRequest, translator: Translator) -> _Request:
    if not message.text.strip():
        raise InvalidInput("EMPTY_TEXT", "there is no text to translate")
    if len(message.text) > MAX_TEXT_CHARACTERS:
        raise InvalidInput(
            "TEXT_TOO_LONG",
            f"the text has {len(message.text)} characters; split it below {MAX_TEXT_CHARACTERS}",
            max_characters=MAX_TEXT_CHARACTERS,
        )
    pair = translator.check_pair(message.source_language, message.target_language)
    if len(message.glossary) > MAX_TERMS or any(
        len(text) > MAX_TERM_CHARACTERS
        for term in message.glossary
        for text in (term.source, term.target)
    ):
        raise InvalidInput(
            "GLOSSARY_TOO_LARGE",
            f"send at most {MAX_TERMS} terms of at most {MAX_TERM_CHARACTERS} characters",
            max_terms=MAX_TERMS,
            max_characters=MAX_TERM_CHARACTERS,
        )
    terms = tuple(Term(term.source.strip(), term.target.strip()) for term in message.glossary)
    if not all(term.source and term.target for term in terms):
        raise InvalidInput("EMPTY_TEXT", "a glossary term is empty")
    earlier = tuple(Earlier(pair.source, pair.target) for pair in message.context)
    return _Request(
        Job(message.text, pair, message.draft, earlier[-MAX_CONTEXT_PAIRS:]),
        terms,
    )


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()


def _with_first_letter_capital(text: str) -> str:
    """A recogniser writes lower case; a caption is a sentence and begins with a capital."""
    for index, character in enumerate(text):
        if character.isalpha():
            return text[:index] + character.upper() + text[index + 1 :]
        if character.isdigit():
            break
    return text
