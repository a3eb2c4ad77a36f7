"""Who looks at which pair: leases in Redis, so that no two people ever have the same one.

Each operation is one script (review_scripts.py), so any number of collectors may work on the same
Redis. Only Redis's own clock counts. A lease that has expired is still its reviewer's until
somebody else is given the pair: who comes back from lunch goes on where they were.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from services.collector import review_scripts
from services.collector.entry import from_fields
from services.collector.pair import ScoredPair
from services.collector.pair_keys import cursor_key
from services.collector.redis_client import needs_redis
from services.collector.review_keys import (
    OPEN_KEY,
    items_key,
    shown_field,
    shown_key,
)
from services.errors import NotFound, Superseded, WrongState


@dataclass(frozen=True, slots=True)
class Lease:
    """One person's hold on one pair.

    Args:
        expires: when others may be given the pair, in UTC, by Redis's clock.
    """

    lease_id: str
    reviewer: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class OpenPair:
    """A pair that waits for a person.

    Args:
        machine: as it was recognised, translated and judged.
        source_text: as displays show it now.
        target_text: as displays show it now.
        priority: greater is more urgent.
    """

    machine: ScoredPair
    source_text: str
    target_text: str
    priority: float
    lease: Lease | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work is.

    Args:
        open_count: pairs that wait, those that somebody has included.
        leased_count: pairs that somebody has.
        reviewed_count: pairs that a person has decided about.
    """

    open_count: int
    leased_count: int
    reviewed_count: int


@dataclass(frozen=True, slots=True)
class Held:
    """What a lease is good for."""

    pair_id: str
    reviewer: str


@dataclass(frozen=True, slots=True)
class Undoing:
    """A decision that is about to be taken back, its pair already held for the reviewer again.

    Args:
        lease_id: of the new hold.
        review_id: of the decision.
        revision: of the decision.
    """

    pair_id: str
    lease_id: str
    review_id: str
    revision: int


class ReviewQueue:
    """The leases of one Redis. Every method raises Unavailable QUEUE_UNAVAILABLE without it."""

    def __init__(self, redis: Redis, lease_s: float) -> None:
        self._redis = redis
        self._lease_ms = round(lease_s * 1000)

    async def close(self) -> None:
        await self._redis.aclose()

    async def lease(
        self, reviewer: str, session_id: str = "", pair_id: str = ""
    ) -> OpenPair | None:
        """The pair that this reviewer is to look at now; None when nothing is left for them.

        Args:
            session_id: only of this session; empty for all.
            pair_id: this pair and no other; empty for the one they have, or else the most urgent.

        Raises:
            NotFound: UNKNOWN_PAIR.
            WrongState: ALREADY_REVIEWED, LEASED.
        """
        match await self._run(
            review_scripts.LEASE,
            reviewer,
            session_id,
            pair_id,
            self._lease_ms,
            secrets.token_hex(16),
        ):
            case ["given", _, priority, item, lease_id, until_ms]:
                lease = Lease(lease_id, reviewer, _time(until_ms))
                return (await self._with_shown_texts([(priority, item)], lease))[0]
            case ["reviewed"]:
                raise WrongState(
                    "ALREADY_REVIEWED", f"somebody has decided about {pair_id}; take another pair"
                )
            case ["leased", other]:
                raise _leased(pair_id, other)
            case ["unknown"]:
                raise _unknown(pair_id)
        return None

    async def holder(self, lease_id: str) -> Held:
        """What a lease is good for: one decision, which may be sent again when it was made.

        Raises:
            Superseded: LEASE_LOST.
        """
        pair_id = pair_of(lease_id)
        match await self._run(review_scripts.HELD, lease_id, pair_id, review_id_of(lease_id)):
            case ["held", reviewer]:
                return Held(pair_id, reviewer)
        raise _lost(pair_id)

    async def renew(self, lease_id: str) -> datetime:
        """Keeps a pair; until when, in UTC.

        Raises:
            Superseded: LEASE_LOST.
        """
        pair_id = pair_of(lease_id)
        match await self._run(review_scripts.RENEW, lease_id, pair_id, self._lease_ms):
            case ["held", until_ms]:
                return _time(until_ms)
        raise _lost(pair_id)

    async def release(self, lease_id: str, *, skip: bool = False) -> None:
        """Gives a pair back. Skipped, it comes to the same reviewer only after all the others.

        Raises:
            Superseded: LEASE_LOST.
        """
        pair_id = pair_of(lease_id)
        if await self._run(review_scripts.RELEASE, lease_id, pair_id, int(skip)) == ["lost"]:
            raise _lost(pair_id)

    async def settle(
        self, held: Held, review_id: str, sequence: int, revision: int, journal_id: str
    ) -> None:
        """Closes a pair whose decision is in the journal, before the follower has read it there.

        Args:
            sequence: of the decision in the journal, which is `journal_id`.
        """
        await self._run(
            review_scripts.SETTLE,
            held.pair_id,
            review_id,
            held.reviewer,
            sequence,
            revision,
            cursor_key(journal_id),
        )

    async def begin_undo(self, reviewer: str) -> Undoing:
        """Holds the pair of a reviewer's last standing decision for them.

        Raises:
            WrongState: NOTHING_TO_UNDO, LEASED.
        """
        match await self._run(
            review_scripts.BEGIN_UNDO, reviewer, self._lease_ms, secrets.token_hex(16)
        ):
            case ["given", pair_id, lease_id, review_id, revision]:
                return Undoing(pair_id, lease_id, review_id, int(revision))
            case ["leased", other, *_]:
                raise _leased("the pair", other)
        raise WrongState("NOTHING_TO_UNDO", f"{reviewer} has made no decision to take back")

    async def end_undo(self, undoing: Undoing, revision: int) -> None:
        """Forgets a decision that was withdrawn, and any before that `revision`."""
        await self._run(review_scripts.END_UNDO, undoing.pair_id, revision)

    async def has_read(self, journal_id: str, sequence: int) -> bool:
        """Whether what the journal says up to a sequence is in Redis."""
        with needs_redis():
            return int(await self._redis.get(cursor_key(journal_id)) or 0) >= sequence

    async def pair(self, pair_id: str) -> OpenPair:
        """A pair that waits or that was decided about; its priority is 0 when it does not wait.

        Raises:
            NotFound: UNKNOWN_PAIR.
        """
        with needs_redis():
            item = await self._redis.hget(items_key(session_of(pair_id)), pair_id)
            priority = await self._redis.zscore(OPEN_KEY, pair_id)
        if item is None:
            raise _unknown(pair_id)
        return (await self._with_shown_texts([(str(priority or 0), item)]))[0]

    async def listed(self, limit: int, session_id: str = "") -> list[OpenPair]:
        """What waits, whoever has it now, most urgent first; at most `limit`."""
        found = await self._run(review_scripts.LIST, session_id, limit)
        return await self._with_shown_texts([(priority, item) for _, priority, item in found])

    async def progress(self, session_id: str = "") -> Progress:
        """Of one session, or of everything."""
        return Progress(*map(int, await self._run(review_scripts.PROGRESS, session_id)))

    async def _with_shown_texts(
        self, found: Sequence[tuple[str, str]], lease: Lease | None = None
    ) -> list[OpenPair]:
        """Items as Redis has them, with the texts as somebody may have corrected them."""
        machines = [from_fields(json.loads(item)) for _, item in found]
        with needs_redis():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for machine in machines:
                    pair = machine.pair
                    pipeline.hmget(
                        shown_key(pair.session_id),
                        [
                            shown_field(pair.segment_id, pair.source_language),
                            shown_field(pair.segment_id, pair.target_language),
                        ],
                    )
                shown = await pipeline.execute()
        return [
            OpenPair(
                machine,
                source or machine.pair.source_text,
                target or machine.pair.target_text,
                float(priority),
                lease,
            )
            for (priority, _), machine, (source, target) in zip(found, machines, shown, strict=True)
        ]

    async def _run(self, script: str, *arguments: str | int) -> list[Any]:
        """Runs a script by its hash; a Redis that was restarted is told its text again."""
        with needs_redis():
            answer: list[Any] = await self._redis.register_script(script)(args=arguments)
        return answer


def pair_of(lease_id: str) -> str:
    """The pair that a lease is for; what is no lease names none."""
    return lease_id.rpartition("~")[0]


def review_id_of(lease_id: str) -> str:
    """What names the decision that is made on a lease, however often it is sent."""
    return lease_id.rpartition("~")[2]


def session_of(pair_id: str) -> str:
    """The session of a pair; empty for what is no pair's id."""
    parts = pair_id.rsplit("/", 2)
    return parts[0] if len(parts) == 3 else ""


def _time(ms: int | str) -> datetime:
    return datetime.fromtimestamp(int(ms) / 1000, UTC)


def _lost(pair_id: str) -> Superseded:
    return Superseded(
        "LEASE_LOST",
        f"{pair_id or 'the pair'} is not yours any more: you had it for too long and somebody else "
        "was given it, or its session was deleted; take the next one",
    )


def _unknown(pair_id: str) -> NotFound:
    return NotFound(
        "UNKNOWN_PAIR",
        f"no pair {pair_id!r} is there for review; `./glossa review --list` names those that wait",
    )


def _leased(pair: str, other: str) -> WrongState:
    return WrongState("LEASED", f"{other} has {pair} open; take another, or wait for them")
