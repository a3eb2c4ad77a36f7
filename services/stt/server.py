"""The stt service on gRPC: protobuf messages stop here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import prometheus_client

from glossa.stt.v1 import stt_pb2, stt_pb2_grpc
from glossa.types.v1 import models_pb2_grpc, types_pb2
from services import traces
from services.audio import SAMPLE_RATE_HERTZ, SampleClock, check_format
from services.errors import InvalidInput, Overloaded, Unavailable
from services.stt.corrections import Correction, Corrections
from services.stt.engine import match_language
from services.stt.events import Event, Final, Partial, Started, Suppressed
from services.stt.model_server import ModelServicer
from services.stt.policy import SegmentationPolicy
from services.stt.session import (
    MAX_PHRASES,
    AudioRun,
    StreamOptions,
    TranscriptionSession,
    idle_timeout,
    shutting_down,
)
from services.stt.settings import SttSettings
from services.stt.tiers import Tiers
from services.stt.vad import VoiceActivity, VoiceActivityModel

STREAMS_OPEN = prometheus_client.Gauge("glossa_stt_streams_open", "Audio streams served now.")
AUDIO_SECONDS = prometheus_client.Counter(
    "glossa_stt_audio_seconds_total", "Audio received, in seconds of its own time."
)


MAX_PHRASE_CHARACTERS = 200
_CORRECTIONS_PREFIX = "corrections_"


def read_corrections(folder: Path) -> dict[str, Corrections]:
    """The corrections of each language that `folder` has a corrections_<language>.tsv for.

    Raises:
        Unavailable: CORRECTIONS_UNREADABLE.
    """
    if not folder.is_dir():
        raise Unavailable(
            "CORRECTIONS_UNREADABLE",
            f"there is no folder {folder}; set GLOSSA_STT_CORRECTIONS_DIR to the one with "
            f"{_CORRECTIONS_PREFIX}en.tsv and the like",
        )
    return {
        path.stem.removeprefix(_CORRECTIONS_PREFIX): Corrections.read(path)
        for path in sorted(folder.glob(f"{_CORRECTIONS_PREFIX}*.tsv"))
    }


@dataclass(frozen=True)
class _Loaded:
    """What serving needs, once it is warm."""

    tiers: Tiers
    corrections: dict[str, Corrections]  # by language
    activity_model: VoiceActivityModel


class SttApp:
    """stt as services.serving runs it."""

    name = "stt"
    service_names = ("glossa.stt.v1.SttService", "glossa.types.v1.ModelService")

    def __init__(self, settings: SttSettings) -> None:
        self._servicer = _SttServicer(settings)

    def register(self, server: grpc.aio.Server) -> None:
        stt_pb2_grpc.add_SttServiceServicer_to_server(self._servicer, server)
        models = ModelServicer(self._servicer.tiers)
        models_pb2_grpc.add_ModelServiceServicer_to_server(models, server)

    def running(self) -> AbstractAsyncContextManager[None]:
        return self._servicer.loaded()

    async def drain(self) -> None:
        await self._servicer.drain()


class _SttServicer(stt_pb2_grpc.SttServiceServicer):
    """SttService over the recognisers of all tiers."""

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
        """Loads and warms the engines; ready inside."""
        settings = self._settings
        corrections = await asyncio.to_thread(read_corrections, settings.corrections_dir)
        activity_model = await asyncio.to_thread(VoiceActivityModel)
        async with Tiers(settings).loaded() as tiers:
            self._loaded = _Loaded(tiers, corrections, activity_model)
            try:
                yield
            finally:
                self._loaded = None

    def tiers(self) -> Tiers:
        """Raises Unavailable (NOT_READY, SHUTTING_DOWN)."""
        if self._stopping.is_set():
            raise shutting_down()
        return self._ready().tiers

    async def drain(self) -> None:
        """Ends the open streams: a client opens another and sends what is not settled again."""
        self._stopping.set()
        await self._no_streams.wait()

    async def StreamingTranscribe(
        self,
        requests: AsyncIterator[stt_pb2.StreamingTranscribeRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[stt_pb2.StreamingTranscribeResponse]:
        loaded = self._ready()
        if self._stopping.is_set():
            raise shutting_down()
        session_id = traces.session_of_call(context.invocation_metadata())
        with self._counted_stream():
            first = await self._first_request(requests)
            if first is None:
                return
            options = self._options(first, loaded.tiers)
            language = options.engine_language
            with loaded.tiers.speaking(language):
                session = TranscriptionSession(
                    options,
                    self._policy,
                    VoiceActivity(loaded.activity_model),
                    loaded.tiers,
                    loaded.corrections.get(language, Corrections()),
                    self._stopping,
                )
                async with contextlib.aclosing(session.events(_audio_runs(requests))) as events:
                    async for event in events:
                        _trace(session_id, event)
                        yield _response(event, options.language)

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

    def _options(self, first: stt_pb2.StreamingTranscribeRequest, tiers: Tiers) -> StreamOptions:
        """The stream's first message, checked. Raises InvalidInput."""
        settings = self._settings
        if first.WhichOneof("payload") != "config":
            raise InvalidInput(
                "AUDIO_BEFORE_CONFIG", "the first message of a stream must be `config`"
            )
        config = first.config
        check_format(
            config.format.encoding, config.format.sample_rate_hertz, config.format.channel_count
        )
        if any(len(phrase) > MAX_PHRASE_CHARACTERS for phrase in config.phrases):
            raise InvalidInput(
                "PHRASE_TOO_LONG", f"a phrase has at most {MAX_PHRASE_CHARACTERS} characters"
            )
        languages = tiers.final.current.capabilities.languages
        return StreamOptions(
            language=config.language,
            engine_language=match_language(config.language, languages),
            phrases=tuple(config.phrases[:MAX_PHRASES]),
            partial_results=config.partial_results,
            first_segment_id=max(1, config.first_segment_id),
            partial_interval_ms=settings.partial_interval_ms,
            idle_timeout_s=settings.idle_timeout_s,
            music_hold=settings.music_hold,
        )

    async def _first_request(
        self, requests: AsyncIterator[stt_pb2.StreamingTranscribeRequest]
    ) -> stt_pb2.StreamingTranscribeRequest | None:
        """None when the client sent nothing at all."""
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


def _trace(session_id: str, event: Event) -> None:
    """From the end of the segment that was heard to its final."""
    final = event.body
    if not isinstance(final, Final):
        return
    with traces.segment_span(
        "stt recognise",
        session_id,
        final.segment_id,
        start_ns=traces.ns_ago(final.engine_ms),
        model=final.model,
        queue_ms=final.engine_queue_ms,
    ):
        pass


def _response(event: Event, language: str) -> stt_pb2.StreamingTranscribeResponse:
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
                    model=partial.model,
                )
            )
        case Final() as final:
            response.transcript.CopyFrom(_final(final, language))
        case Suppressed() as suppressed:
            response.segment_suppressed.CopyFrom(
                stt_pb2.SegmentSuppressed(
                    segment_id=suppressed.segment_id,
                    reason=suppressed.reason,
                    start_offset_ms=suppressed.start_offset_ms,
                    end_offset_ms=suppressed.end_offset_ms,
                    text=suppressed.text,
                )
            )
    return response


def _final(final: Final, language: str) -> types_pb2.Transcript:
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
        model=final.model,
        endpoint_offset_ms=final.endpoint_offset_ms,
        engine_ms=final.engine_ms,
        engine_queue_ms=final.engine_queue_ms,
        corrections=_terms(final.corrections),
        homophones=_terms(final.homophones),
        flags=final.flags,
    )


def _terms(corrections: Iterable[Correction]) -> list[types_pb2.TermCorrection]:
    return [
        types_pb2.TermCorrection(
            heard=correction.heard,
            intended=correction.intended,
            word_index=correction.word_index,
        )
        for correction in corrections
    ]
