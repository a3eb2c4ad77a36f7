"""The gRPC face of mt: checks what comes in, and says in messages what the translator gave."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace
from typing import Any

import grpc
import structlog

from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from glossa.types.v1 import models_pb2, models_pb2_grpc, types_pb2
from services import traces
from services.conditions import Conditions
from services.errors import GlossaError, InvalidInput, Unavailable
from services.model_files import check_requested
from services.mt import glossary_file, metrics
from services.mt.engine import RUNTIMES, Earlier, EngineOptions, LanguagePair
from services.mt.glossary import Glossary, Term
from services.mt.loaded import Choice, LoadedEngine
from services.mt.prompt import without_markers
from services.mt.settings import MtSettings
from services.mt.tier import Replaced, Tier, TierName
from services.mt.translator import Request, Translation, Translator

log = structlog.get_logger()

MAX_TEXT_CHARACTERS = 2000
MAX_TERMS = 500
MAX_TERM_CHARACTERS = 200
MAX_CONTEXT_PAIRS = 8
# The name in gRPC health of whether finals come from the model that was chosen for them.
FINAL_CONDITION = "glossa.mt.v1.final"


class MtApp:
    """mt as `services.serving.run` runs it."""

    name = "mt"
    service_names = ("glossa.mt.v1.MtService", "glossa.types.v1.ModelService")

    def __init__(self, settings: MtSettings) -> None:
        self._settings = settings
        self.conditions = Conditions(FINAL_CONDITION)
        self._translator: Translator | None = None
        self._draining = False

    def register(self, server: grpc.aio.Server) -> None:
        mt_pb2_grpc.add_MtServiceServicer_to_server(_MtServicer(self), server)
        models_pb2_grpc.add_ModelServiceServicer_to_server(_ModelServicer(self), server)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        settings = self._settings
        # In a thread: a file may be slow.
        terms = await asyncio.to_thread(glossary_file.read, settings.glossary_file)
        pair = LanguagePair(settings.glossary_source_language, settings.glossary_target_language)
        async with contextlib.AsyncExitStack() as stack:
            final = await self._tier(stack, "final", final_choice(settings))
            draft = final
            if (choice := draft_choice(settings)) is not None:
                draft = await self._tier(stack, "draft", choice)
            translator = Translator(
                final,
                draft,
                {
                    pair: Glossary(terms),
                    pair.reversed(): Glossary(glossary_file.reverse(terms)),
                },
                settings.draft_mask_words,
            )
            async with asyncio.TaskGroup() as tasks:
                workers = [tasks.create_task(tier.run()) for tier in translator.tiers]
                workers.append(tasks.create_task(self._tell_rests(final)))
                self._translator = translator
                log.info(
                    "engines_loaded",
                    tiers={tier.name: tier.loaded.choice.runtime for tier in translator.tiers},
                    pairs=[str(pair) for pair in translator.pairs],
                    glossary_terms=len(terms),
                )
                try:
                    yield
                finally:
                    self._translator = None
                    for worker in workers:
                        worker.cancel()

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

    def check_model(self, model: str) -> str:
        """A model that may be loaded on request: below the models folder, or none.

        Raises:
            InvalidInput: MODEL_MISSING.
        """
        return check_requested(model, self._settings.models_dir)

    async def _tell_rests(self, final: Tier) -> None:
        """Keeps the condition as the tier is, until cancelled."""
        while True:
            final.rest_changed.clear()
            warnings = [f"the draft model writes finals: {final.rests_for}"]
            await self.conditions.set(FINAL_CONDITION, warnings if final.rests_for else [])
            await final.rest_changed.wait()

    async def _tier(self, stack: contextlib.AsyncExitStack, name: TierName, choice: Choice) -> Tier:
        loaded = await LoadedEngine.load(choice)
        pairs = self._settings.language_pairs()
        able = [pair for pair in pairs if pair in loaded.engine.capabilities.pairs]
        tier = Tier(name, loaded, self._settings.queue_size, must_translate=able)
        stack.push_async_callback(tier.close)
        return tier


class _MtServicer(mt_pb2_grpc.MtServiceServicer):
    def __init__(self, app: MtApp) -> None:
        self._app = app

    async def Translate(
        self, request: mt_pb2.TranslateRequest, context: grpc.aio.ServicerContext
    ) -> mt_pb2.TranslateResponse:
        started_at = time.monotonic()
        with _counted(request):
            translator = self._app.translator()
            checked = _checked(request, translator)
            translation = await translator.translate(checked, context.time_remaining())
        return _response(translation, started_at)

    async def StreamTranslate(
        self, request: mt_pb2.StreamTranslateRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[mt_pb2.StreamTranslateResponse]:
        started_at = time.monotonic()
        caller = traces.of_call(context.invocation_metadata())
        language = request.request.target_language
        with (
            traces.span("mt translate", caller, language=language) as span,
            _counted(request.request),
        ):
            translator = self._app.translator()
            checked = _checked(request.request, translator)
            async with contextlib.aclosing(
                translator.stream(checked, context.time_remaining())
            ) as translations:
                async for translation in translations:
                    span.set(
                        model=translation.model,
                        engine_ms=translation.generation_ms,
                        token_count=translation.token_count,
                    )
                    yield mt_pb2.StreamTranslateResponse(
                        translation=_response(translation, started_at),
                        is_final=translation.is_whole,
                    )


class _ModelServicer(models_pb2_grpc.ModelServiceServicer):
    def __init__(self, app: MtApp) -> None:
        self._app = app

    async def GetModel(
        self, request: models_pb2.GetModelRequest, context: grpc.aio.ServicerContext
    ) -> models_pb2.GetModelResponse:
        translator = self._app.translator()
        tiers = [_tier_model(tier.name, tier.loaded) for tier in translator.tiers]
        return models_pb2.GetModelResponse(
            engine=tiers[0].engine,
            model=tiers[0].model,
            capabilities=[str(pair) for pair in translator.pairs],
            tiers=tiers,
        )

    async def LoadModel(
        self, request: models_pb2.LoadModelRequest, context: grpc.aio.ServicerContext
    ) -> models_pb2.LoadModelResponse:
        tier = self._app.translator().tier(request.tier or "final")
        model = self._app.check_model(request.model)
        present = tier.loaded.choice
        runtime = request.engine or present.runtime
        if not model and runtime == present.runtime:
            model = present.options.model
        elif not model and runtime in RUNTIMES:
            model = RUNTIMES[runtime].model
        return models_pb2.LoadModelResponse(**_told(tier, await tier.load(runtime, model)))

    async def Rollback(
        self, request: models_pb2.RollbackRequest, context: grpc.aio.ServicerContext
    ) -> models_pb2.RollbackResponse:
        tier = self._app.translator().tier(request.tier or "final")
        return models_pb2.RollbackResponse(**_told(tier, await tier.roll_back()))


def final_choice(settings: MtSettings) -> Choice:
    """What translates finals."""
    return Choice(
        settings.runtime,
        EngineOptions(
            model=settings.model,
            models_dir=settings.models_dir,
            speculative_model=settings.speculative_model,
            device=settings.device,
            compute_type=settings.compute_type,
            threads=settings.threads,
            context_tokens=settings.context_tokens,
            prompt_family=settings.prompt_family,
            max_batch=settings.max_batch,
            pairs=settings.language_pairs(),
            request_timeout_s=settings.request_timeout_s,
        ),
    )


def draft_choice(settings: MtSettings) -> Choice | None:
    """What translates drafts; None when it is what translates finals."""
    final = final_choice(settings)
    wanted = (settings.draft_runtime, settings.draft_model)
    if not settings.draft_runtime or wanted == (final.runtime, final.options.model):
        return None
    return Choice(
        settings.draft_runtime,
        replace(
            final.options,
            model=settings.draft_model,
            speculative_model="",
            device=settings.draft_device,
            compute_type="auto",
            prompt_family="auto",
        ),
    )


@contextlib.contextmanager
def _counted(message: mt_pb2.TranslateRequest) -> Iterator[None]:
    outcome = "CANCELLED"
    try:
        yield
        outcome = "OK"
    except GlossaError as error:
        outcome = error.reason
        raise
    finally:
        metrics.REQUESTS.labels("draft" if message.draft else "final", outcome).inc()


def _response(translation: Translation, started_at: float) -> mt_pb2.TranslateResponse:
    return mt_pb2.TranslateResponse(
        text=translation.text,
        model=translation.model,
        glossary_terms=_terms(translation.terms),
        engine_ms=(time.monotonic() - started_at) * 1000,
        unknown_word_count=translation.unknown_word_count,
        token_count=translation.token_count,
        first_token_ms=translation.first_token_ms,
        generation_ms=translation.generation_ms,
        flags=translation.flags,
        required_terms=_terms(translation.required_terms),
        missing_terms=_terms(translation.missing_terms),
        held_back_word_count=translation.held_back_word_count,
    )


def _terms(terms: Iterable[Term]) -> list[types_pb2.GlossaryTerm]:
    return [types_pb2.GlossaryTerm(source=term.source, target=term.target) for term in terms]


def _tier_model(name: str, loaded: LoadedEngine) -> models_pb2.TierModel:
    engine = loaded.engine
    models = dict.fromkeys(
        engine.model(pair).partition("/")[2] for pair in engine.capabilities.pairs
    )
    return models_pb2.TierModel(tier=name, engine=engine.name, model=", ".join(models))


def _told(tier: Tier, replaced: Replaced) -> dict[str, Any]:
    return {
        "current": _tier_model(tier.name, replaced.current),
        "previous": _tier_model(tier.name, replaced.previous),
        "load_ms": replaced.load_ms,
    }


def _checked(message: mt_pb2.TranslateRequest, translator: Translator) -> Request:
    # Alike for all runtimes, though only some of them read control tokens.
    if not without_markers(message.text).strip():
        raise InvalidInput("EMPTY_TEXT", "there is no text to translate")
    pair = translator.check_pair(message.source_language, message.target_language)
    context = message.context[-MAX_CONTEXT_PAIRS:]
    for name, text in (
        ("text", message.text),
        ("committed_text", message.committed_text),
        ("previous_text", message.previous_text),
        *(("context", text) for pair in context for text in (pair.source, pair.target)),
    ):
        if len(text) > MAX_TEXT_CHARACTERS:
            raise InvalidInput(
                "TEXT_TOO_LONG",
                f"{name} has {len(text)} characters; keep it to {MAX_TEXT_CHARACTERS}",
                max_characters=MAX_TEXT_CHARACTERS,
            )
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
    return Request(
        message.text,
        pair,
        message.draft,
        tuple(Earlier(earlier.source, earlier.target) for earlier in context),
        terms,
        message.committed_text,
        message.previous_text,
    )
