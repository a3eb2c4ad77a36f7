"""The models that the gateway's tests talk to: real gRPC servers with a rule in place of an engine.

Speech is a run of equal non-zero samples; its value is the sentence ("sentence 7 was said").
Thousands do not count, so that speech can be as varied as a voice (`voiced`). Finals come
SILENCE_SAMPLES after a run's end, so what the gateway must journal is known exactly, sample by
sample. A partial has one word for each 1600 samples. What mt was given beside a text comes back in
the glossary terms of its answer, and what qe was given in the models of signals without a value.
`python -m tests.gateway.peers stt|mt|mt_alternative|qe PORT` serves one of them until killed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import grpc
import numpy as np
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from glossa.qe.v1 import qe_pb2, qe_pb2_grpc
from glossa.stt.v1 import stt_pb2, stt_pb2_grpc
from glossa.types.v1 import models_pb2, models_pb2_grpc, types_pb2
from services.audio import samples_to_ms
from services.errors import EngineFailed, InvalidInput, abort
from services.serving import SERVER_OPTIONS
from tests.speech import Pcm

SPEECH_SAMPLES = 4_800
SILENCE_SAMPLES = 3_200
REFUSED_SENTENCE = 666  # mt refuses it for good
POISON_SENTENCE = 999  # mt fails on it every time
UNSCORABLE_SENTENCE = 888  # qe fails on it every time
SILENT_SENTENCE = 998  # mt ends the stream of its translation without one every time
GROWING_SENTENCE = 444  # mt streams its translation word by word
DOUBTFUL_SENTENCE = 333  # mt flags its translation
HANGING_DRAFT_SENTENCE = 555  # mt drafts it until the call is cancelled
SUPPRESSED_SENTENCE = 222  # stt does not show it, and settles it only with what comes after it
BREAKING_SENTENCE = 777  # stt breaks on it every time
UNSETTLED_SENTENCE = 223  # each of mt's drafts of it begins with another word
HELD_BACK_SENTENCE = 221  # the same, and mt holds a word of its drafts back
WAVERING_SENTENCE = 224  # the last word of each of stt's partials of it is taken back
TERM_SENTENCE = 112  # holds two terms, of which mt's finals have one
CORRECTED_SENTENCE = 111  # stt puts a term right in it and doubts the rest
PAIRS = ["en>es", "en>fr", "en>ar"]
_MT_MODELS = {"mt_alternative": "rule/other"}
MODELS = {"stt": ["en"], "mt": PAIRS, "mt_alternative": PAIRS, "qe": ["length_ratio"]}

KEPT_TERM = types_pb2.GlossaryTerm(source="grace", target="gracia")
LOST_TERM = types_pb2.GlossaryTerm(source="covenant", target="pacto")


def sentence(number: int) -> str:
    return f"Sentence {number} was said"


def sermon(numbers: range | list[int]) -> Pcm:
    """Audio that says the sentences of these numbers."""
    pieces = []
    for number in numbers:
        pieces.append(np.full(SPEECH_SAMPLES, number, dtype=np.int16))
        pieces.append(np.zeros(SILENCE_SAMPLES * 2, dtype=np.int16))
    return np.concatenate(pieces)


def voiced(pcm: Pcm) -> Pcm:
    """The same sentences, with no two pieces of speech alike."""
    thousands = np.random.default_rng(len(pcm)).integers(0, 32, len(pcm)) * 1000
    return np.where(pcm, pcm + thousands, 0).astype(np.int16)


class Stt(stt_pb2_grpc.SttServiceServicer):
    async def StreamingTranscribe(
        self,
        requests: AsyncIterator[stt_pb2.StreamingTranscribeRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[stt_pb2.StreamingTranscribeResponse]:
        config = (await anext(requests)).config
        if config.language not in MODELS["stt"]:
            await abort(context, InvalidInput("UNSUPPORTED_LANGUAGE", "only en"))
        recogniser = _Recogniser(config.first_segment_id or 1)
        async for request in requests:
            samples = np.frombuffer(request.audio.data, dtype=np.int16) % 1000
            for response in recogniser.take(request.audio.first_sample, samples):
                yield response
            if BREAKING_SENTENCE in samples:
                await abort(context, EngineFailed("crashed"))
        for response in recogniser.flush():
            yield response


class _Recogniser:
    def __init__(self, segment_id: int) -> None:
        self.segment_id = segment_id
        self.value = 0
        self.start = 0
        self.end = 0
        self.position = 0
        self.revision = 0
        self.suppressed_start: int | None = None  # not settled yet

    def take(self, first_sample: int, samples: Pcm) -> list[stt_pb2.StreamingTranscribeResponse]:
        responses = []
        edges = np.flatnonzero(np.diff(samples)) + 1
        for piece_start, piece in zip(
            [0, *edges.tolist()], np.split(samples, edges.tolist()), strict=True
        ):
            value = int(piece[0])
            start = first_sample + piece_start
            end = start + len(piece)
            if value:
                if value != self.value:
                    responses += self.flush()
                    self.value, self.start, self.revision = value, start, 0
                    self.suppressed_start = None
                self.end = end
                responses.append(self._transcript(is_final=False))
            elif self.value and end - self.end >= SILENCE_SAMPLES:
                self.position = end
                responses += self.flush()
            self.position = end
        if not self.value:
            settled_sample = (
                self.position if self.suppressed_start is None else self.suppressed_start
            )
            responses.append(stt_pb2.StreamingTranscribeResponse(settled_sample=settled_sample))
        return responses

    def flush(self) -> list[stt_pb2.StreamingTranscribeResponse]:
        if not self.value:
            return []
        if self.value == SUPPRESSED_SENTENCE:
            self.value = 0
            self.suppressed_start = self.start
            return [
                stt_pb2.StreamingTranscribeResponse(
                    settled_sample=self.start,
                    segment_suppressed=stt_pb2.SegmentSuppressed(
                        segment_id=self.segment_id,
                        reason="phantom",
                        start_offset_ms=samples_to_ms(self.start),
                        end_offset_ms=samples_to_ms(self.end),
                        text="Thank you.",
                    ),
                )
            ]
        final = self._transcript(is_final=True)
        self.value = 0
        self.segment_id += 1
        return [final]

    def _transcript(self, *, is_final: bool) -> stt_pb2.StreamingTranscribeResponse:
        self.revision += 1
        words = sentence(self.value).split()
        word_count = len(words) if is_final else (self.end - self.start) // 1_600
        text = " ".join(words[:word_count])
        wavers = self.value == WAVERING_SENTENCE and not is_final
        transcript = types_pb2.Transcript(
            segment_id=self.segment_id,
            revision=self.revision,
            is_final=is_final,
            stable_text=text,
            unstable_text=f"uh{self.revision}" if wavers else "",
            start_offset_ms=samples_to_ms(self.start),
            end_offset_ms=samples_to_ms(self.end),
            endpoint_offset_ms=samples_to_ms(self.position),
            language="en",
            model="rule/value",
        )
        if is_final:
            transcript.avg_logprob = -0.1
            transcript.no_speech_prob = 0.05
            transcript.compression_ratio = 1.0
            if self.value == CORRECTED_SENTENCE:
                transcript.flags.append("low_confidence")
                transcript.corrections.add(heard="sent dense", intended="Sentence", word_index=0)
        return stt_pb2.StreamingTranscribeResponse(
            settled_sample=self.position if is_final else self.start, transcript=transcript
        )


class Mt(mt_pb2_grpc.MtServiceServicer):
    """Drafts of French come from another model than its finals."""

    def __init__(self, model: str = "rule/bracket") -> None:
        self._model = model
        self.cancelled_count = 0
        self.in_flight = 0
        self.most_in_flight = 0

    async def Translate(
        self, request: mt_pb2.TranslateRequest, context: grpc.aio.ServicerContext
    ) -> mt_pb2.TranslateResponse:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if str(HANGING_DRAFT_SENTENCE) in request.text.split():
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled_count += 1
            raise
        finally:
            self.in_flight -= 1
        return self._answer(request)

    async def StreamTranslate(
        self, request: mt_pb2.StreamTranslateRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[mt_pb2.StreamTranslateResponse]:
        text = request.request.text
        if text == sentence(REFUSED_SENTENCE):
            await abort(context, InvalidInput("TEXT_TOO_LONG", "refused"))
        if text == sentence(POISON_SENTENCE):
            await abort(context, EngineFailed("crashed"))
        if text == sentence(SILENT_SENTENCE):
            return
        answer = self._answer(request.request)
        if text == sentence(GROWING_SENTENCE):
            words = answer.text.split()
            for word_count in range(1, len(words) + 1):
                yield mt_pb2.StreamTranslateResponse(
                    translation=mt_pb2.TranslateResponse(text=" ".join(words[:word_count]))
                )
                await asyncio.sleep(0.11)  # no sooner does the gateway pass on the next
        if text == sentence(DOUBTFUL_SENTENCE):
            answer.flags.append("runaway")
        yield mt_pb2.StreamTranslateResponse(translation=answer, is_final=True)

    def _answer(self, request: mt_pb2.TranslateRequest) -> mt_pb2.TranslateResponse:
        given = [(pair.source, pair.target) for pair in request.context]
        given += [("committed_text", request.committed_text)] * bool(request.committed_text)
        given += [("previous_text", request.previous_text)] * bool(request.previous_text)
        has_terms = not request.draft and request.text == sentence(TERM_SENTENCE)
        words = request.text.split()
        is_held_back = request.draft and str(HELD_BACK_SENTENCE) in words
        is_unsettled = is_held_back or (request.draft and str(UNSETTLED_SENTENCE) in words)
        beginning = f"{len(words)} " if is_unsettled else ""
        return mt_pb2.TranslateResponse(
            text=f"{beginning}[{request.target_language}] {request.text}",
            model="rule/draft"
            if request.draft and request.target_language == "fr"
            else self._model,
            engine_ms=1,
            token_count=len(words),
            first_token_ms=2,
            generation_ms=3,
            glossary_terms=[types_pb2.GlossaryTerm(source=s, target=t) for s, t in given],
            required_terms=[KEPT_TERM, LOST_TERM] if has_terms else [],
            missing_terms=[LOST_TERM] if has_terms else [],
            held_back_word_count=int(is_held_back),
        )


class Qe(qe_pb2_grpc.QeServiceServicer):
    async def Score(
        self, request: qe_pb2.ScoreRequest, context: grpc.aio.ServicerContext
    ) -> qe_pb2.ScoreResponse:
        if any(pair.source_text == sentence(UNSCORABLE_SENTENCE) for pair in request.pairs):
            await abort(context, EngineFailed("crashed"))
        return qe_pb2.ScoreResponse(
            scores=[
                qe_pb2.PairScore(
                    signals=[
                        types_pb2.Signal(
                            name="length_ratio",
                            value=min(1.0, len(pair.source_text) / len(pair.target_text)),
                            model="characters",
                        ),
                        *(
                            types_pb2.Signal(name=f"given_{name}", model=value)
                            for name, value in _given(pair).items()
                        ),
                    ]
                )
                for pair in request.pairs
            ]
        )


def _given(pair: qe_pb2.Pair) -> dict[str, str]:
    return {
        "target_model": pair.target_model,
        "independent_text": pair.independent_text,
        "independent_model": pair.independent_model,
        "required": " ".join(term.target for term in pair.required_terms),
        "missing": " ".join(term.target for term in pair.missing_terms),
    }


class _Model(models_pb2_grpc.ModelServiceServicer):
    """Says what it can do; `model` of mt is how many calls were cancelled and ran together."""

    def __init__(self, capabilities: list[str], mt: Mt) -> None:
        self._capabilities = capabilities
        self._mt = mt

    async def GetModel(
        self, request: models_pb2.GetModelRequest, context: grpc.aio.ServicerContext
    ) -> models_pb2.GetModelResponse:
        return models_pb2.GetModelResponse(
            engine="rule",
            model=f"{self._mt.cancelled_count} {self._mt.most_in_flight}",
            capabilities=self._capabilities,
        )


async def started(role: str, port: int, servicer: Stt | Mt | Qe | None = None) -> grpc.aio.Server:
    """A server of one role; `servicer` in place of the one above."""
    server = grpc.aio.server(options=SERVER_OPTIONS)
    mt = servicer if isinstance(servicer, Mt) else Mt(_MT_MODELS.get(role, "rule/bracket"))
    models_pb2_grpc.add_ModelServiceServicer_to_server(_Model(MODELS[role], mt), server)
    if role == "stt":
        stt_pb2_grpc.add_SttServiceServicer_to_server(servicer or Stt(), server)
    elif role.startswith("mt"):
        mt_pb2_grpc.add_MtServiceServicer_to_server(mt, server)
    else:
        qe_pb2_grpc.add_QeServiceServicer_to_server(servicer or Qe(), server)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    await health_servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server


async def serve(role: str, port: int) -> None:
    await (await started(role, port)).wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
