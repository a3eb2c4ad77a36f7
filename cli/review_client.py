"""The collector as a reviewer asks it: a call at a time, every failure a GlossaError."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc

from cli.client import Peer, as_glossa_error
from glossa.collector.v1 import collector_pb2, collector_pb2_grpc
from glossa.types.v1 import types_pb2
from services.channels import open_blocking_channel

_TIMEOUT_S = 10.0
_JOURNAL_TIMEOUT_S = 20.0  # the collector itself waits for the gateway, or for its own follower
_AUDIO_TIMEOUT_S = 30.0


class ReviewClient:
    """One connection. Blocks: a person who types is waited for in the same thread.

    Every method raises GlossaError with the reasons of its RPC; UNAVAILABLE when nobody answers.
    """

    def __init__(self, address: str) -> None:
        self._peer = Peer("collector", address, "--collector")
        self._channel = open_blocking_channel(address)
        self._stub = collector_pb2_grpc.CollectorServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._channel.close()

    def list(self, session_id: str, limit: int) -> collector_pb2.ListForReviewResponse:
        request = collector_pb2.ListForReviewRequest(session_id=session_id, page_size=limit)
        answer: collector_pb2.ListForReviewResponse = self._call(self._stub.ListForReview, request)
        return answer

    def lease(
        self, reviewer: str, session_id: str = "", pair_id: str = ""
    ) -> collector_pb2.LeaseReviewResponse:
        request = collector_pb2.LeaseReviewRequest(
            reviewer=reviewer, session_id=session_id, pair_id=pair_id
        )
        answer: collector_pb2.LeaseReviewResponse = self._call(self._stub.LeaseReview, request)
        return answer

    def renew(self, lease_id: str) -> collector_pb2.RenewReviewResponse:
        request = collector_pb2.RenewReviewRequest(lease_id=lease_id)
        answer: collector_pb2.RenewReviewResponse = self._call(self._stub.RenewReview, request)
        return answer

    def release(self, lease_id: str, *, skip: bool = False) -> None:
        request = collector_pb2.ReleaseReviewRequest(lease_id=lease_id, skip=skip)
        self._call(self._stub.ReleaseReview, request)

    def submit(
        self,
        lease_id: str,
        decision: types_pb2.Decision,
        source_text: str,
        target_text: str,
        *,
        shown_source_text: str,
        shown_target_text: str,
    ) -> collector_pb2.SubmitReviewResponse:
        request = collector_pb2.SubmitReviewRequest(
            lease_id=lease_id,
            decision=decision,
            source_text=source_text,
            target_text=target_text,
            shown_source_text=shown_source_text,
            shown_target_text=shown_target_text,
        )
        answer: collector_pb2.SubmitReviewResponse = self._call(
            self._stub.SubmitReview, request, _JOURNAL_TIMEOUT_S
        )
        return answer

    def undo(self, reviewer: str) -> collector_pb2.UndoReviewResponse:
        request = collector_pb2.UndoReviewRequest(reviewer=reviewer)
        answer: collector_pb2.UndoReviewResponse = self._call(
            self._stub.UndoReview, request, _JOURNAL_TIMEOUT_S
        )
        return answer

    def audio(self, pair_id: str) -> bytes:
        """A WAV file."""
        request = collector_pb2.FetchReviewAudioRequest(pair_id=pair_id)
        try:
            answers = self._stub.FetchReviewAudio(request, timeout=_AUDIO_TIMEOUT_S)
            return b"".join(answer.data for answer in answers)
        except grpc.RpcError as error:
            raise as_glossa_error(error, self._peer) from error

    def _call(self, method: Callable[..., Any], request: Any, timeout_s: float = _TIMEOUT_S) -> Any:
        try:
            return method(request, timeout=timeout_s)
        except grpc.RpcError as error:
            raise as_glossa_error(error, self._peer) from error
