"""The three model services as the gateway calls them: deadlines, retries, and what they can do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from glossa.qe.v1 import qe_pb2, qe_pb2_grpc
from glossa.stt.v1 import stt_pb2_grpc
from glossa.types.v1 import models_pb2, models_pb2_grpc, types_pb2
from services.errors import GlossaError, InvalidInput, Unavailable, reason_of
from services.serving import CHANNEL_OPTIONS

_GET_MODEL_TIMEOUT_S = 2.0

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


class Models:
    """Channels and stubs of stt, mt and qe. Peers that are away at start are connected to later."""

    def __init__(self, addresses: ModelAddresses) -> None:
        self._channels = {
            name: grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
            for name, address in (
                ("stt", addresses.stt),
                ("mt", addresses.mt),
                ("qe", addresses.qe),
            )
        }
        self.stt: Any = stt_pb2_grpc.SttServiceStub(self._channels["stt"])
        self._mt = mt_pb2_grpc.MtServiceStub(self._channels["mt"])
        self._qe = qe_pb2_grpc.QeServiceStub(self._channels["qe"])

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()

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
        stub = models_pb2_grpc.ModelServiceStub(self._channels[name])
        try:
            answer = await stub.GetModel(models_pb2.GetModelRequest(), timeout=_GET_MODEL_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return None
        return list(answer.capabilities)

    async def translate(
        self,
        transcript: types_pb2.Transcript,
        text: str,
        target_language: str,
        *,
        draft: bool,
        timeout_s: float,
    ) -> types_pb2.Translation:
        """Translates a transcript's text; the translation takes over its segment and revision.

        Raises:
            grpc.aio.AioRpcError: with mt's reason.
        """
        answer = await self._mt.Translate(
            mt_pb2.TranslateRequest(
                text=text,
                source_language=transcript.language,
                target_language=target_language,
                draft=draft,
            ),
            timeout=timeout_s,
        )
        return types_pb2.Translation(
            segment_id=transcript.segment_id,
            language=target_language,
            revision=transcript.revision,
            is_final=not draft,
            text=answer.text,
            model=answer.model,
            engine_ms=answer.engine_ms,
            glossary_terms=answer.glossary_terms,
        )

    async def score(
        self,
        pairs: Sequence[tuple[types_pb2.Transcript, types_pb2.Translation]],
        *,
        timeout_s: float,
    ) -> list[list[types_pb2.Signal]]:
        """The signals of each pair, in order.

        Raises:
            grpc.aio.AioRpcError: with qe's reason.
        """
        answer = await self._qe.Score(
            qe_pb2.ScoreRequest(
                pairs=[
                    qe_pb2.Pair(
                        source_text=transcript.stable_text,
                        target_text=translation.text,
                        source_language=transcript.language,
                        target_language=translation.language,
                    )
                    for transcript, translation in pairs
                ]
            ),
            timeout=timeout_s,
        )
        return [list(score.signals) for score in answer.scores]


def stt_error(error: grpc.aio.AioRpcError) -> GlossaError:
    """What a speaker is told when stt refuses a session for good."""
    return InvalidInput(reason_of(error), str(error.details()))


def shutting_down() -> Unavailable:
    return Unavailable("SHUTTING_DOWN", "the gateway is stopping; resume the session in a moment")


def _primary(language: str) -> str:
    return language.split("-", 1)[0].lower()
