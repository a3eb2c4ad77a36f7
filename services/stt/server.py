"""The stt service on gRPC: protobuf messages stop here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import grpc
import numpy as np
import prometheus_client
import structlog

from glossa.stt.v1 import stt_pb2, stt_pb2_grpc
from glossa.types.v1 import models_pb2, models_pb2_grpc, types_pb2
from services.audio import SAMPLE_RATE_HERTZ, SampleClock, check_format
from services.errors import InvalidInput, Overloaded, Unavailable
from services.stt.engine import Decoding, EngineOptions, loader, match_language
from services.stt.events import Event, Final, Partial, Started, Suppressed
from services.stt.policy import SegmentationPolicy
from services.stt.recogniser import Recogniser
from services.stt.session import (
    AudioRun,
    StreamOptions,
    TranscriptionSession,
    idle_timeout,
    shutting_down,
)
from services.stt.settings import SttSettings
from services.stt.vad import VoiceActivity, VoiceActivityModel

log = structlog.get_logger()

MAX_PHRASES = 500
# A stopping engine has this long to end what it decodes.
_CLOSE_TIMEOUT_S = 5.0

STREAMS_OPEN = prometheus_client.Gauge("glossa_stt_streams_open", "Audio streams served now.")
AUDIO_SECONDS = prometheus_client.Counter(
    "glossa_stt_audio_seconds_total", "Audio received, in seconds of its own time."
)


@dataclass(frozen=True)
class _Loaded:
    """What serving needs, once it is warm."""

    recogniser: Recogniser
    activity_model: VoiceActivityModel


class SttApp:
    """stt as services.serving runs it."""

    name = "stt"
    service_names = ("glossa.stt.v1.SttService", "glossa.types.v1.ModelService")

    def __init__(self, settings: SttSettings) -> None:
        self._servicer = _SttServicer(settings)

    def register(self, server: grpc.aio.Server) -> None:
        stt_pb2_grpc.add_SttServiceServicer_to_server(self._servicer, server)
        models_pb2_grpc.add_ModelServiceServicer_to_server(self._servicer, server)

    def running(self) -> AbstractAsyncContextManager[None]:
        return self._servicer.loaded()

    async def drain(self) -> None:
        await self._servicer.drain()


class _SttServicer(stt_pb2_grpc.SttServiceServicer, models_pb2_grpc.ModelServiceServicer):
    """SttService and ModelService over one engine."""

    def __init__(self, settings: SttSettings) -> None:
        self._settings = settings
        self._policy = SegmentationPolicy(
            start_threshold=settings.speech_threshold,
            end_threshold=max(settings.speech_threshold - 0.15, settings.speech_threshold / 2),
            end_silence_ms=settings.end_silence_ms,
            max_segment_ms=settings.max_segment_ms,
        )
        self._loaded: _Loaded | None = None
        self._stopping = asyncio.Event()
        self._stream_count = 0
        self._no_streams = asyncio.Event()
        self._no_streams.set()

    @contextlib.asynccontextmanager
    async def loaded(self) -> AsyncIterator[None]:
        """Loads and warms the engine; ready inside."""
        settings = self._settings
        load = loader(settings.engine)
        activity_model = await asyncio.to_thread(VoiceActivityModel)
        options = EngineOptions(
            model=settings.model,
            models_dir=settings.models_dir,
            device=settings.device,
            compute_type=settings.compute_type,
            threads=settings.threads,
            final_workers=settings.final_workers,
            live_decoders=settings.live_decoders,
        )
        engine = await asyncio.to_thread(load, options)
        recogniser = Recogniser(engine, settings.final_workers)
        try:
            language = engine.capabilities.languages[0]
            warm_up = np.random.default_rng(0).normal(0, 0.01, SAMPLE_RATE_HERTZ)
            for _ in range(settings.final_workers):
                await recogniser.transcribe(warm_up.astype(np.float32), Decoding(language))
            log.info("engine_loaded", engine=engine.name, model=engine.model)
            self._loaded = _Loaded(recogniser, activity_model)
            yield
        finally:
            self._loaded = None
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await asyncio.to_thread(recogniser.close)

    async def drain(self) -> None:
        """Ends the open streams: a client opens another and sends what is not settled again."""
        self._stopping.set()
        await self._no_streams.wait()

    async def GetModel(
        self, request: models_pb2.GetModelRequest, context: grpc.aio.ServicerContext
    ) -> models_pb2.GetModelResponse:
        recogniser = self._ready().recogniser
        return models_pb2.GetModelResponse(
            engine=recogniser.engine_name,
            model=recogniser.model_name,
            capabilities=recogniser.capabilities.languages,
        )

    async def StreamingTranscribe(
        self,
        requests: AsyncIterator[stt_pb2.StreamingTranscribeRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[stt_pb2.StreamingTranscribeResponse]:
        loaded = self._ready()
        if self._stopping.is_set():
            raise shutting_down()
        with self._counted_stream():
            options = await self._options(requests, loaded.recogniser)
            if options is None:
                return
            session = TranscriptionSession(
                options,
                self._policy,
                VoiceActivity(loaded.activity_model),
                loaded.recogniser,
                self._stopping,
            )
            model = f"{loaded.recogniser.engine_name}/{loaded.recogniser.model_name}"
            async with contextlib.aclosing(session.events(_audio_runs(requests))) as events:
                async for event in events:
                    yield _response(event, options.language, model)

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            raise Unavailable("NOT_READY", "the speech engine is still loading; try again shortly")
        return self._loaded

    @contextlib.contextmanager
    def _counted_stream(self) -> Iterator[None]:
        limit = self._settings.max_streams
        if self._stream_count >= limit:
            raise Overloaded(
                "TOO_MANY_STREAMS",
                f"{limit} streams are being transcribed, which is the limit; end one first",
                limit=limit,
            )
        self._stream_count += 1
        self._no_streams.clear()
        STREAMS_OPEN.inc()
        try:
            yield
        finally:
            STREAMS_OPEN.dec()
            self._stream_count -= 1
            if self._stream_count == 0:
                self._no_streams.set()

    async def _options(
        self, requests: AsyncIterator[stt_pb2.StreamingTranscribeRequest], recogniser: Recogniser
    ) -> StreamOptions | None:
        """The stream's first message, checked; None when the client sent nothing at all."""
        settings = self._settings
        first = await self._first_request(requests)
        if first is None:
            return None
        if first.WhichOneof("payload") != "config":
            raise InvalidInput(
                "AUDIO_BEFORE_CONFIG", "the first message of a stream must be `config`"
            )
        config = first.config
        check_format(
            config.format.encoding, config.format.sample_rate_hertz, config.format.channel_count
        )
        return StreamOptions(
            language=config.language,
            engine_language=match_language(config.language, recogniser.capabilities.languages),
            phrases=tuple(config.phrases[:MAX_PHRASES]),
            partial_results=config.partial_results,
            first_segment_id=max(1, config.first_segment_id),
            partial_interval_ms=settings.partial_interval_ms,
            idle_timeout_s=settings.idle_timeout_s,
        )

    async def _first_request(
        self, requests: AsyncIterator[stt_pb2.StreamingTranscribeRequest]
    ) -> stt_pb2.StreamingTranscribeRequest | None:
        timeout_s = self._settings.idle_timeout_s
        first = asyncio.ensure_future(anext(requests, None))
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait(
                {first, stop}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if first.done():
                return first.result()
            if stop.done():
                raise shutting_down()
            raise idle_timeout(timeout_s)
        finally:
            first.cancel()
            stop.cancel()


async def _audio_runs(
    requests: AsyncIterator[stt_pb2.StreamingTranscribeRequest],
) -> AsyncIterator[AudioRun]:
    clock = SampleClock(None)
    async for request in requests:
        if request.WhichOneof("payload") == "config":
            raise InvalidInput("CONFIG_REPEATED", "`config` is sent once, as the first message")
        chunk = request.audio
        gap = clock.accept(chunk.first_sample, chunk.data)
        samples = np.frombuffer(chunk.data, dtype="<i2").astype(np.int16, copy=False)
        AUDIO_SECONDS.inc(len(samples) / SAMPLE_RATE_HERTZ)
        yield AudioRun(chunk.first_sample, samples, follows_gap=gap is not None)


def _response(event: Event, language: str, model: str) -> stt_pb2.StreamingTranscribeResponse:
    response = stt_pb2.StreamingTranscribeResponse(settled_sample=event.settled_sample)
    match event.body:
        case Started(segment_id, start_offset_ms):
            response.speech_started.segment_id = segment_id
            response.speech_started.start_offset_ms = start_offset_ms
        case Partial() as partial:
            response.transcript.CopyFrom(
                types_pb2.Transcript(
                    segment_id=partial.segment_id,
                    revision=partial.revision,
                    stable_text=partial.stable_text,
                    unstable_text=partial.unstable_text,
                    start_offset_ms=partial.start_offset_ms,
                    end_offset_ms=partial.end_offset_ms,
                    language=language,
                    model=model,
                )
            )
        case Final() as final:
            response.transcript.CopyFrom(_final(final, language, model))
        case Suppressed(segment_id, reason, start_offset_ms, end_offset_ms):
            response.segment_suppressed.CopyFrom(
                stt_pb2.SegmentSuppressed(
                    segment_id=segment_id,
                    reason=reason,
                    start_offset_ms=start_offset_ms,
                    end_offset_ms=end_offset_ms,
                )
            )
    return response


def _final(final: Final, language: str, model: str) -> types_pb2.Transcript:
    return types_pb2.Transcript(
        segment_id=final.segment_id,
        revision=final.revision,
        is_final=True,
        stable_text=final.text,
        words=[
            types_pb2.Word(
                text=word.text,
                start_offset_ms=word.start_offset_ms,
                end_offset_ms=word.end_offset_ms,
                probability=word.probability,
            )
            for word in final.words
        ],
        start_offset_ms=final.start_offset_ms,
        end_offset_ms=final.end_offset_ms,
        language=language,
        avg_logprob=final.avg_logprob,
        no_speech_prob=final.no_speech_prob,
        compression_ratio=final.compression_ratio,
        model=model,
        endpoint_offset_ms=final.endpoint_offset_ms,
        engine_ms=final.engine_ms,
        engine_queue_ms=final.engine_queue_ms,
    )
