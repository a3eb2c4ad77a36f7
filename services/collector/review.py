"""The review: what people do with doubtful pairs, behind the RPCs and the page alike.

    lease -> (renew ...) -> submit | release        undo: the decision before, and its pair again

A decision is safe when the journal has it. Whatever fails before that leaves the lease as it was,
and the same submit may be sent again: it is one decision, however often it arrives.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ
from services.collector.pair import Decision
from services.collector.priority import review_priority
from services.collector.redis_client import open_redis
from services.collector.review_gateway import ReviewGateway
from services.collector.review_queue import OpenPair, Progress, ReviewQueue, review_id_of
from services.collector.settings import CollectorSettings
from services.errors import (
    GlossaError,
    InvalidInput,
    NotFound,
    Superseded,
    Unavailable,
    WrongState,
)

MAX_REVIEWER_CHARACTERS = 200
MAX_LISTED = 1000
DEFAULT_LISTED = 50
_REOPENED_TIMEOUT_S = 5.0
_REOPENED_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A pair that a person should look at.

    Args:
        reasons: why it is doubtful, by the names in priority.py, the weightiest first.
        has_audio: whether it can be heard; False, too, while the gateway does not say.
    """

    open: OpenPair
    reasons: tuple[str, ...]
    has_audio: bool


class Reviews:
    """The operations. Every one raises Unavailable QUEUE_UNAVAILABLE without Redis.

    Args:
        journal_id: tells the journal that is followed now; empty while there is none.
    """

    def __init__(
        self, queue: ReviewQueue, gateway: ReviewGateway, journal_id: Callable[[], str]
    ) -> None:
        self._queue = queue
        self._gateway = gateway
        self._journal_id = journal_id

    @classmethod
    def open(cls, settings: CollectorSettings, journal_id: Callable[[], str]) -> Self:
        """Connects on first use."""
        url, timeout_s = settings.redis_url_with_password(), settings.redis_timeout_s
        return cls(
            ReviewQueue(open_redis(url, timeout_s), settings.review_lease_s),
            ReviewGateway(settings.gateway_address),
            journal_id,
        )

    async def close(self) -> None:
        await self._queue.close()
        await self._gateway.close()

    async def list(
        self, session_id: str = "", limit: int = DEFAULT_LISTED
    ) -> tuple[Sequence[ReviewItem], Progress]:
        """What waits, most doubtful first, whoever has it now.

        Raises:
            InvalidInput: INVALID_PAGE_SIZE.
        """
        if not 1 <= limit <= MAX_LISTED:
            raise InvalidInput("INVALID_PAGE_SIZE", f"list 1 to {MAX_LISTED} pairs, not {limit}")
        found = await self._queue.listed(limit, session_id)
        return await self._items(found), await self._queue.progress(session_id)

    async def lease(
        self, reviewer: str, session_id: str = "", pair_id: str = ""
    ) -> tuple[ReviewItem | None, Progress]:
        """The pair that somebody is to look at now; None when nothing is left for them.

        Raises:
            InvalidInput: INVALID_REVIEWER.
            NotFound: UNKNOWN_PAIR.
            WrongState: LEASED, ALREADY_REVIEWED.
        """
        check_reviewer(reviewer)
        leased = await self._queue.lease(reviewer, session_id, pair_id)
        items = await self._items([] if leased is None else [leased])
        return items[0] if items else None, await self._queue.progress(session_id)

    async def renew(self, lease_id: str) -> datetime:
        """Keeps a pair; until when, in UTC.

        Raises:
            Superseded: LEASE_LOST.
        """
        return await self._queue.renew(lease_id)

    async def release(self, lease_id: str, *, skip: bool = False) -> None:
        """Gives a pair back undecided.

        Raises:
            Superseded: LEASE_LOST.
        """
        await self._queue.release(lease_id, skip=skip)

    async def submit(
        self,
        lease_id: str,
        decision: Decision,
        source_text: str = "",
        target_text: str = "",
        *,
        shown_source_text: str = "",
        shown_target_text: str = "",
    ) -> tuple[int, Progress]:
        """Writes a decision to the journal; its sequence. An empty text is the one shown now.

        Args:
            shown_source_text: as the reviewer saw it: what somebody corrected since is neither
                accepted nor overwritten unseen. Empty: not compared.
            shown_target_text: the same.

        Raises:
            InvalidInput: INVALID_DECISION for one that is withdrawn.
            Superseded: LEASE_LOST; so, too, when another decision was made on this lease.
            Unavailable: GATEWAY_UNAVAILABLE; the lease stays.
            GlossaError: with the reasons of GatewayService.ReviewPair; the lease stays.
        """
        if decision is Decision.WITHDRAWN:
            raise InvalidInput(
                "INVALID_DECISION", "accept, fix or reject a pair; undo takes a decision back"
            )
        held = await self._queue.holder(lease_id)
        pair = (await self._queue.pair(held.pair_id)).machine.pair
        review_id = review_id_of(lease_id)
        try:
            sequence, revision = await self._gateway.review(
                pair,
                decision,
                held.reviewer,
                review_id,
                source_text=source_text,
                target_text=target_text,
                shown_source_text=shown_source_text,
                shown_target_text=shown_target_text,
            )
        except InvalidInput as error:
            if error.reason != "INVALID_REVIEW_ID":
                raise
            raise Superseded(
                "LEASE_LOST",
                f"{held.pair_id} was decided about otherwise under your name, in another window "
                "maybe: this decision is not written",
            ) from error
        await self._queue.settle(held, review_id, sequence, revision, self._journal_id())
        return sequence, await self._queue.progress()

    async def undo(self, reviewer: str) -> tuple[ReviewItem | None, Progress]:
        """Takes somebody's last decision back and gives them that pair again.

        Raises:
            InvalidInput: INVALID_REVIEWER.
            WrongState: NOTHING_TO_UNDO, LEASED.
            Unavailable: GATEWAY_UNAVAILABLE.
        """
        check_reviewer(reviewer)
        undoing = await self._queue.begin_undo(reviewer)
        try:
            pair = (await self._queue.pair(undoing.pair_id)).machine.pair
            sequence, revision = await self._gateway.review(
                pair, Decision.WITHDRAWN, reviewer, _undo_id(undoing.review_id)
            )
        except GlossaError as error:
            with contextlib.suppress(GlossaError):  # it would expire, too
                await self._queue.release(undoing.lease_id)
            if isinstance(error, Unavailable):
                raise
            with contextlib.suppress(GlossaError):
                await self._queue.end_undo(undoing, undoing.revision)
            raise WrongState(
                "NOTHING_TO_UNDO",
                f"your decision on {undoing.pair_id} no longer stands: {error.message}",
            ) from error
        await self._queue.end_undo(undoing, revision)
        await self._until_read(sequence)
        return await self.lease(reviewer, pair_id=undoing.pair_id)

    async def audio(self, pair_id: str) -> bytes:
        """What was said, as a WAV file.

        Raises:
            NotFound: UNKNOWN_PAIR.
            WrongState: AUDIO_NOT_STORED.
            Unavailable: GATEWAY_UNAVAILABLE.
        """
        pair = (await self._queue.pair(pair_id)).machine.pair
        try:
            samples = await self._gateway.audio(pair)
        except NotFound as error:  # its session was deleted a moment ago
            raise NotFound("UNKNOWN_PAIR", error.message) from error
        return _as_wav(samples)

    async def progress(self, session_id: str = "") -> Progress:
        """How far the work is, of one session or of everything."""
        return await self._queue.progress(session_id)

    async def _items(self, pairs: Sequence[OpenPair]) -> Sequence[ReviewItem]:
        try:
            with_audio = await self._gateway.with_audio(
                {pair.machine.pair.session_id for pair in pairs}
            )
        except Unavailable:
            with_audio = set()
        return [
            ReviewItem(
                pair,
                priority.reasons if (priority := review_priority(pair.machine)) else (),
                pair.machine.pair.session_id in with_audio,
            )
            for pair in pairs
        ]

    async def _until_read(self, sequence: int) -> None:
        """Waits until the follower, of this collector or of another, has read the journal so far.

        Raises:
            Unavailable: GATEWAY_UNAVAILABLE.
        """
        try:
            async with asyncio.timeout(_REOPENED_TIMEOUT_S):
                # Redis tells it whoever follows; an event in this process would not.
                while not await self._queue.has_read(  # noqa: ASYNC110
                    self._journal_id(), sequence
                ):
                    await asyncio.sleep(_REOPENED_POLL_S)
        except TimeoutError as error:
            raise Unavailable(
                "GATEWAY_UNAVAILABLE",
                "the decision is taken back; its pair waits for review again as soon as the "
                "collector has read the journal",
            ) from error


def check_reviewer(reviewer: str) -> None:
    """Raises InvalidInput INVALID_REVIEWER for a name that nobody could be told by."""
    if (
        not reviewer.strip()
        or len(reviewer) > MAX_REVIEWER_CHARACTERS
        or not reviewer.isprintable()  # a line break parts the fields in Redis
    ):
        raise InvalidInput(
            "INVALID_REVIEWER",
            f"give your name: 1 to {MAX_REVIEWER_CHARACTERS} characters on one line",
        )


def _undo_id(review_id: str) -> str:
    """Names a withdrawal, however often it is sent; as short as the gateway asks."""
    return f"undo-{hashlib.sha256(review_id.encode()).hexdigest()[:32]}"


def _as_wav(samples: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(BYTES_PER_SAMPLE)
        writer.setframerate(SAMPLE_RATE_HERTZ)
        writer.writeframes(samples)
    return file.getvalue()
