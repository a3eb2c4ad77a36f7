"""The three model services as the gateway calls them: deadlines, retries, and what they can do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from glossa.qe.v1 import qe_pb2, qe_pb2_grpc
from glossa.stt.v1 import stt_pb2_grpc
from glossa.types.v1 import models_pb2, models_pb2_grpc, types_pb2
from services.channels import open_channel
from services.errors import GlossaError, InvalidInput, Unavailable, reason_of
from services.gateway.context import ContextPair
from services.gateway.engines import Peer
from services.traces import Metadata

_GET_MODEL_TIMEOUT_S = 2.0
_HINT_CHARACTERS = 2000  # mt's limit: a longer hint is left out, not the translation refused
_INDEPENDENT_CHARACTERS = 4000  # qe's limit
_UNSOUND = frozenset({"runaway", "copied", "truncated_source"})

# Codes that will come again however often the same call is made.
_PERMANENT_CODES = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


def is_permanent(error: grpc.aio.AioRpcError) -> bool:
    """Whether repeating the call cannot help."""
    return error.code() in _PERMANENT_CODES


@dataclass(frozen=True)
class ModelAddresses:
    """host:port of each model service."""

    stt: str
    mt: str
    qe: str
    mt_alternative: str = ""  # none: nothing is compared


@dataclass(frozen=True)
class Hints:
    """What mt is given beside the text; see TranslateRequest."""

    committed_text: str = ""
    previous_text: str = ""
    context: tuple[ContextPair, ...] = ()


@dataclass(frozen=True)
class DraftTranslation:
    """A draft.

    Args:
        is_comparable: it is whole, sound and nobody else's: no words of it are held back, and none
            were given to begin with, which come from a text that was not whole yet.
    """

    translation: types_pb2.Translation
    is_comparable: bool


@dataclass(frozen=True)
class Independent:
    """What another model made of the same final."""

    text: str
    model: str


@dataclass(frozen=True)
class UnscoredPair:
    """A final and its translation, with what there is to compare them with."""

    transcript: types_pb2.Transcript
    translation: types_pb2.Translation
    independent: Independent | None = None


class Models:
    """Channels and stubs of stt, mt and qe. Peers that are away at start are connected to later."""

    def __init__(self, addresses: ModelAddresses) -> None:
        self.peers = {
            name: Peer(address, open_channel(address))
            for name, address in (
                ("stt", addresses.stt),
                ("mt", addresses.mt),
                ("qe", addresses.qe),
                ("mt_alternative", addresses.mt_alternative),
            )
            if address
        }
        self.stt: Any = stt_pb2_grpc.SttServiceStub(self.peers["stt"].channel)
        self._mt = mt_pb2_grpc.MtServiceStub(self.peers["mt"].channel)
        self._mt_alternative: Any = (
            mt_pb2_grpc.MtServiceStub(self.peers["mt_alternative"].channel)
            if addresses.mt_alternative
            else None
        )
        self._qe = qe_pb2_grpc.QeServiceStub(self.peers["qe"].channel)

    async def close(self) -> None:
        for peer in self.peers.values():
            await peer.channel.close()

    async def check_languages(self, source_language: str, target_languages: Sequence[str]) -> None:
        """Refuses languages that the models say they cannot do; a model that is away says nothing.

        Raises:
            InvalidInput: UNSUPPORTED_LANGUAGE.
        """
        spoken, pairs = await asyncio.gather(self._capabilities("stt"), self._capabilities("mt"))
        if spoken is not None and _primary(source_language) not in spoken:
            raise InvalidInput(
                "UNSUPPORTED_LANGUAGE",
                f"speech in {source_language!r} is not supported; stt knows {', '.join(spoken)}",
                language=source_language,
            )
        for target_language in target_languages:
            pair = f"{_primary(source_language)}>{_primary(target_language)}"
            if pairs is not None and pair not in pairs:
                raise InvalidInput(
                    "UNSUPPORTED_LANGUAGE",
                    f"translation {pair} is not supported; mt knows {', '.join(pairs)}",
                    language=target_language,
                )

    async def _capabilities(self, name: str) -> list[str] | None:
        stub = models_pb2_grpc.ModelServiceStub(self.peers[name].channel)
        try:
            answer = await stub.GetModel(models_pb2.GetModelRequest(), timeout=_GET_MODEL_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return None
        return list(answer.capabilities)

    async def translate_draft(
        self,
        transcript: types_pb2.Transcript,
        text: str,
        target_language: str,
        hints: Hints,
        *,
        timeout_s: float,
    ) -> DraftTranslation:
        """Translates a partial's text; the draft takes over its segment and revision.

        Raises:
            grpc.aio.AioRpcError: with mt's reason.
        """
        answer = await self._mt.Translate(
            _request(transcript, text, target_language, hints, draft=True), timeout=timeout_s
        )
        translation = _translation(transcript, target_language, answer)
        is_free = not hints.committed_text and answer.held_back_word_count == 0
        return DraftTranslation(translation, is_free and is_sound(translation))

    async def translate_final(
        self,
        transcript: types_pb2.Transcript,
        target_language: str,
        hints: Hints,
        *,
        timeout_s: float,
        alternative: bool = False,
        metadata: Metadata | None = None,
    ) -> AsyncGenerator[types_pb2.Translation, None]:
        """Translates a final: the text so far as it grows, the last one with is_final set.

        Args:
            alternative: ask the second mt, which there must be.

        Raises:
            grpc.aio.AioRpcError: with mt's reason.
            Unavailable: MT_ENDED_EARLY.
        """
        mt = self._mt_alternative if alternative else self._mt
        call = mt.StreamTranslate(
            mt_pb2.StreamTranslateRequest(
                request=_request(
                    transcript, transcript.stable_text, target_language, hints, draft=False
                )
            ),
            timeout=timeout_s,
            metadata=metadata,
        )
        is_final = False
        try:
            async for answer in call:
                translation = _translation(transcript, target_language, answer.translation)
                is_final = translation.is_final = answer.is_final
                yield translation
        finally:
            call.cancel()
        if not is_final:
            raise Unavailable("MT_ENDED_EARLY", "mt ended the stream before its last message")

    async def score(
        self,
        pairs: Sequence[UnscoredPair],
        *,
        timeout_s: float,
        metadata: Metadata | None = None,
    ) -> list[list[types_pb2.Signal]]:
        """The signals of each pair, in order.

        Raises:
            grpc.aio.AioRpcError: with qe's reason.
        """
        answer = await self._qe.Score(
            qe_pb2.ScoreRequest(pairs=[_pair(pair) for pair in pairs]),
            timeout=timeout_s,
            metadata=metadata,
        )
        return [list(score.signals) for score in answer.scores]


def _request(
    transcript: types_pb2.Transcript,
    text: str,
    target_language: str,
    hints: Hints,
    *,
    draft: bool,
) -> mt_pb2.TranslateRequest:
    return mt_pb2.TranslateRequest(
        text=text,
        source_language=transcript.language,
        target_language=target_language,
        draft=draft,
        context=[
            mt_pb2.ContextPair(source=pair.source, target=pair.target) for pair in hints.context
        ],
        committed_text=_hint(hints.committed_text),
        previous_text=_hint(hints.previous_text),
    )


def is_sound(translation: types_pb2.Translation) -> bool:
    """Whether mt saw nothing that makes it another text than a translation of its source."""
    return not _UNSOUND.intersection(translation.flags)


def _pair(pair: UnscoredPair) -> qe_pb2.Pair:
    transcript, translation, independent = pair.transcript, pair.translation, pair.independent
    message = qe_pb2.Pair(
        source_text=transcript.stable_text,
        target_text=translation.text,
        source_language=transcript.language,
        target_language=translation.language,
        target_model=translation.model,
        required_terms=translation.required_terms,
        missing_terms=translation.missing_terms,
    )
    if independent is not None and len(independent.text) <= _INDEPENDENT_CHARACTERS:
        message.independent_text = independent.text
        message.independent_model = independent.model
    return message


def _hint(text: str) -> str:
    return text if len(text) <= _HINT_CHARACTERS else ""


def _translation(
    transcript: types_pb2.Transcript, target_language: str, answer: mt_pb2.TranslateResponse
) -> types_pb2.Translation:
    """mt's answer for the transcript, as text that is not final."""
    return types_pb2.Translation(
        segment_id=transcript.segment_id,
        language=target_language,
        revision=transcript.revision,
        text=answer.text,
        model=answer.model,
        engine_ms=answer.engine_ms,
        glossary_terms=answer.glossary_terms,
        token_count=answer.token_count,
        first_token_ms=answer.first_token_ms,
        generation_ms=answer.generation_ms,
        flags=answer.flags,
        required_terms=answer.required_terms,
        missing_terms=answer.missing_terms,
    )


def stt_error(error: grpc.aio.AioRpcError) -> GlossaError:
    """What a speaker is told when stt refuses a session for good."""
    return InvalidInput(reason_of(error), str(error.details()))


def shutting_down() -> Unavailable:
    return Unavailable("SHUTTING_DOWN", "the gateway is stopping; resume the session in a moment")


def _primary(language: str) -> str:
    return language.split("-", 1)[0].lower()
