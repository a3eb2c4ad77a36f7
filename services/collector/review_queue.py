"""Who looks at which pair: leases in Redis, so that no two people ever have the same one.

Each operation is one script, so any number of collectors may work on the same Redis. Only Redis's
own clock counts. A lease that has expired is still its reviewer's until somebody else is given the
pair: who comes back from lunch goes on where they were. Keys: review_keys.py.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from services.collector.entry import from_fields
from services.collector.pair import ScoredPair
from services.collector.pair_keys import cursor_key
from services.collector.redis_client import needs_redis
from services.collector.review_keys import (
    OPEN_KEY,
    VERDICT_LUA,
    items_key,
    shown_field,
    shown_key,
)
from services.errors import NotFound, Superseded, WrongState

_COMMON = (
    VERDICT_LUA
    + """
local prefix, open_pairs = 'glossa:review:', 'glossa:review:open'
local leases, having = prefix .. 'lease:pairs', prefix .. 'lease:reviewers'
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local now_us = time[1] .. string.format('%06d', time[2])  -- text: JSON keeps 14 digits of a number

local function session_of(pair_id) return string.match(pair_id, '^(.*)/[^/]*/[^/]*$') or '' end
local function of_session(kind, pair_id) return prefix .. kind .. ':' .. session_of(pair_id) end
local function read(key, field)
  local text = redis.call('HGET', key, field)
  return text and cjson.decode(text)
end
local function lease_of(pair_id) return read(leases, pair_id) end
local function is_anothers(lease, reviewer)
  return lease and lease.reviewer ~= reviewer and lease.until_ms > now_ms
end
-- By priority, the most urgent first. Of one session: what its items name; they are at most its
-- sentences, where the open pairs are everybody's.
local function each_open(session_id, visit)
  if session_id == '' then
    local first = 0
    while true do
      local page = redis.call('ZREVRANGE', open_pairs, first, first + 99, 'WITHSCORES')
      for index = 1, #page, 2 do
        if visit(page[index], page[index + 1]) then return end
      end
      if #page < 200 then return end
      first = first + 100
    end
  end
  local found = {}
  for _, pair_id in ipairs(redis.call('HKEYS', prefix .. 'items:' .. session_id)) do
    local priority = redis.call('ZSCORE', open_pairs, pair_id)
    if priority then found[#found + 1] = {pair_id, priority, tonumber(priority)} end
  end
  table.sort(found, function(a, b)
    if a[3] ~= b[3] then return a[3] > b[3] end
    return a[1] > b[1]
  end)
  for _, entry in ipairs(found) do
    if visit(entry[1], entry[2]) then return end
  end
end
-- Ends what somebody has, if they still have it.
local function free(reviewer)
  local pair_id = redis.call('HGET', having, reviewer)
  if not pair_id then return end
  local lease = lease_of(pair_id)
  if lease and lease.reviewer == reviewer then redis.call('HDEL', leases, pair_id) end
  redis.call('HDEL', having, reviewer)
end
-- Gives a pair to somebody, or to them for longer: one pair a reviewer.
local function give(pair_id, reviewer, lease_ms, token)
  local lease = lease_of(pair_id)
  if lease and lease.reviewer ~= reviewer then
    redis.call('HDEL', having, lease.reviewer)
    lease = false
  end
  if not lease then
    free(reviewer)
    lease = {id = pair_id .. '~' .. token, reviewer = reviewer}
    redis.call('HSET', having, reviewer, pair_id)
  end
  lease.until_ms = now_ms + lease_ms
  redis.call('HSET', leases, pair_id, cjson.encode(lease))
  return lease
end
"""
)

# ARGV 1 reviewer, 2 session or '', 3 pair or '', 4 milliseconds, 5 token
_LEASE = (
    _COMMON
    + """
local reviewer, session_id, wanted = ARGV[1], ARGV[2], ARGV[3]
local chosen
if wanted ~= '' then
  if not redis.call('ZSCORE', open_pairs, wanted) then
    local is_known = redis.call('HEXISTS', of_session('done', wanted), wanted) == 1
      or redis.call('HEXISTS', of_session('settled', wanted), wanted) == 1
    return {is_known and 'reviewed' or 'unknown'}
  end
  local lease = lease_of(wanted)
  if is_anothers(lease, reviewer) then return {'leased', lease.reviewer} end
  chosen = wanted
else
  local current = redis.call('HGET', having, reviewer)
  if current and redis.call('ZSCORE', open_pairs, current)
    and (session_id == '' or session_of(current) == session_id) then
    local lease = lease_of(current)
    if lease and lease.reviewer == reviewer then chosen = current end
  end
end
if not chosen then
  local longest_ago
  each_open(session_id, function(pair_id)
    if is_anothers(lease_of(pair_id), reviewer) then return false end
    if redis.call('HEXISTS', of_session('items', pair_id), pair_id) == 0 then return false end
    local skips = read(of_session('skipped', pair_id), pair_id)
    local skipped_us = skips and skips[reviewer]
    if not skipped_us then
      chosen = pair_id
      return true
    end
    if not longest_ago or skipped_us < longest_ago then
      longest_ago, chosen = skipped_us, pair_id
    end
  end)
end
if not chosen then return {'none'} end
local lease = give(chosen, reviewer, tonumber(ARGV[4]), ARGV[5])
return {
  'given', chosen, redis.call('ZSCORE', open_pairs, chosen),
  redis.call('HGET', of_session('items', chosen), chosen), lease.id, lease.until_ms
}
"""
)

# ARGV 1 lease, 2 its pair, 3 its review_id
_HELD = (
    _COMMON
    + """
local lease = lease_of(ARGV[2])
if lease and lease.id == ARGV[1] then return {'held', lease.reviewer} end
-- A verdict that has been given is given again in the same words when its answer was lost.
local settled = settled_verdict(session_of(ARGV[2]), ARGV[2])
if settled and settled.review_id == ARGV[3] then
  return {'settled', settled.reviewer, settled.sequence}
end
return {'lost'}
"""
)

# ARGV 1 lease, 2 its pair, 3 milliseconds
_RENEW = (
    _COMMON
    + """
local lease = lease_of(ARGV[2])
if not lease or lease.id ~= ARGV[1] then return {'lost'} end
return {'held', give(ARGV[2], lease.reviewer, tonumber(ARGV[3]), '').until_ms}
"""
)

# ARGV 1 lease, 2 its pair, 3 '1' to skip it
_RELEASE = (
    _COMMON
    + """
local pair_id = ARGV[2]
local lease = lease_of(pair_id)
if not lease or lease.id ~= ARGV[1] then return {'lost'} end
free(lease.reviewer)
if ARGV[3] == '1' then
  local key = of_session('skipped', pair_id)
  local skips = read(key, pair_id) or {}
  skips[lease.reviewer] = now_us
  redis.call('HSET', key, pair_id, cjson.encode(skips))
end
return {'released'}
"""
)

# ARGV 1 pair, 2 review_id, 3 reviewer, 4 sequence, 5 revision, 6 cursor key
#
# The pair may have been given to somebody else while the verdict was on its way: it is decided, so
# theirs is lost. Without any lease the session was forgotten meanwhile, and nothing may be written.
# What the follower has read already it has closed itself; the pair may be open again by now.
_SETTLE = (
    _COMMON
    + """
local pair_id, sequence = ARGV[1], tonumber(ARGV[4])
local lease = lease_of(pair_id)
if not lease then return {'gone'} end
free(lease.reviewer)
if tonumber(redis.call('GET', ARGV[6]) or '0') < sequence then
  redis.call('ZREM', open_pairs, pair_id)
end
redis.call('HDEL', of_session('skipped', pair_id), pair_id)
remember_verdict(session_of(pair_id), pair_id, tonumber(ARGV[5]), now_us, {
  review_id = ARGV[2], reviewer = ARGV[3], sequence = sequence
})
return {'settled'}
"""
)

# ARGV 1 reviewer, 2 milliseconds, 3 token
#
# Nobody else can be given the pair from here on, although it is not open before the follower has
# read in the journal that the verdict was withdrawn.
_BEGIN_UNDO = (
    _COMMON
    + """
local reviewer = ARGV[1]
local pair_id
local first = 0
while not pair_id do
  local page = redis.call('ZREVRANGE', history, first, first + 99)
  for _, member in ipairs(page) do
    if string.sub(member, 1, #reviewer + 1) == reviewer .. '\\n' then
      pair_id = string.sub(member, #reviewer + 2)
      break
    end
  end
  if not pair_id and #page < 100 then return {'nothing'} end
  first = first + 100
end
local settled = settled_verdict(session_of(pair_id), pair_id)
local lease = lease_of(pair_id)
if is_anothers(lease, reviewer) then return {'leased', lease.reviewer} end
lease = give(pair_id, reviewer, tonumber(ARGV[2]), ARGV[3])
return {'given', pair_id, lease.id, settled.review_id, settled.revision}
"""
)

# ARGV 1 pair, 2 revision of the withdrawal
_END_UNDO = (
    _COMMON
    + """
forget_verdict(session_of(ARGV[1]), ARGV[1], tonumber(ARGV[2]))
return {'ended'}
"""
)

# ARGV 1 session or '', 2 at most this many
_LIST = (
    _COMMON
    + """
local found, limit = {}, tonumber(ARGV[2])
each_open(ARGV[1], function(pair_id, priority)
  local item = redis.call('HGET', of_session('items', pair_id), pair_id)
  if item then found[#found + 1] = {pair_id, priority, item} end
  return #found == limit
end)
return found
"""
)

# ARGV 1 session or ''
_PROGRESS = (
    _COMMON
    + """
local session_id = ARGV[1]
local open_count, leased_count = 0, 0
if session_id == '' then
  open_count = redis.call('ZCARD', open_pairs)
else
  each_open(session_id, function() open_count = open_count + 1 end)
end
local all = redis.call('HGETALL', leases)
for index = 1, #all, 2 do
  if (session_id == '' or session_of(all[index]) == session_id)
    and cjson.decode(all[index + 1]).until_ms > now_ms
    and redis.call('ZSCORE', open_pairs, all[index]) then
    leased_count = leased_count + 1
  end
end
local counts = 'glossa:pairs:counts' .. (session_id == '' and '' or ':' .. session_id)
return {open_count, leased_count, tonumber(redis.call('HGET', counts, 'corrected') or '0')}
"""
)


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
    """What a lease is good for.

    Args:
        settled_sequence: of the verdict that was given on it; None while there is none.
    """

    pair_id: str
    reviewer: str
    settled_sequence: int | None


@dataclass(frozen=True, slots=True)
class Undoing:
    """A verdict that is about to be taken back, its pair already held for the reviewer again.

    Args:
        lease_id: of the new hold.
        review_id: of the verdict.
        revision: of the verdict.
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
            _LEASE, reviewer, session_id, pair_id, self._lease_ms, secrets.token_hex(16)
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
        """What a lease is good for.

        Raises:
            Superseded: LEASE_LOST.
        """
        pair_id = pair_of(lease_id)
        match await self._run(_HELD, lease_id, pair_id, review_id_of(lease_id)):
            case ["held", reviewer]:
                return Held(pair_id, reviewer, None)
            case ["settled", reviewer, sequence]:
                return Held(pair_id, reviewer, int(sequence))
        raise _lost(pair_id)

    async def renew(self, lease_id: str) -> datetime:
        """Keeps a pair; until when, in UTC.

        Raises:
            Superseded: LEASE_LOST.
        """
        pair_id = pair_of(lease_id)
        match await self._run(_RENEW, lease_id, pair_id, self._lease_ms):
            case ["held", until_ms]:
                return _time(until_ms)
        raise _lost(pair_id)

    async def release(self, lease_id: str, *, skip: bool = False) -> None:
        """Gives a pair back. Skipped, it comes to the same reviewer only after all the others.

        Raises:
            Superseded: LEASE_LOST.
        """
        pair_id = pair_of(lease_id)
        if await self._run(_RELEASE, lease_id, pair_id, int(skip)) == ["lost"]:
            raise _lost(pair_id)

    async def settle(
        self, held: Held, review_id: str, sequence: int, revision: int, journal_id: str
    ) -> None:
        """Closes a pair whose verdict is in the journal, before the follower has read it there.

        Args:
            sequence: of the verdict in the journal, which is `journal_id`.
        """
        await self._run(
            _SETTLE,
            held.pair_id,
            review_id,
            held.reviewer,
            sequence,
            revision,
            cursor_key(journal_id),
        )

    async def begin_undo(self, reviewer: str) -> Undoing:
        """Holds the pair of a reviewer's last standing verdict for them.

        Raises:
            WrongState: NOTHING_TO_UNDO, LEASED.
        """
        match await self._run(_BEGIN_UNDO, reviewer, self._lease_ms, secrets.token_hex(16)):
            case ["given", pair_id, lease_id, review_id, revision]:
                return Undoing(pair_id, lease_id, review_id, int(revision))
            case ["leased", other, *_]:
                raise _leased("the pair", other)
        raise WrongState("NOTHING_TO_UNDO", f"{reviewer} has given no verdict to take back")

    async def end_undo(self, undoing: Undoing, revision: int) -> None:
        """Forgets a verdict that was withdrawn, and any before that `revision`."""
        await self._run(_END_UNDO, undoing.pair_id, revision)

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
        found = await self._run(_LIST, session_id, limit)
        return await self._with_shown_texts([(priority, item) for _, priority, item in found])

    async def progress(self, session_id: str = "") -> Progress:
        """Of one session, or of everything."""
        return Progress(*map(int, await self._run(_PROGRESS, session_id)))

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
    """What names the verdict that is given on a lease, however often it is sent."""
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
