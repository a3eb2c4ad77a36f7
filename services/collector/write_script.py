"""What one journal event changes in Redis: one run of one script, together with the cursor.

There is no moment at which a crash could lose the event or write it twice. A script that fails
half-way is not undone, so each looks at its keys first: one of the wrong type fails before any
write, and a full Redis refuses the first write of a script or none.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from services.collector.entry import to_fields
from services.collector.pair import (
    Change,
    Decision,
    ExcludedPair,
    ForgottenSession,
    ReviewedPair,
    ScoredPair,
    ShownText,
)
from services.collector.pair_keys import (
    CORRECTED,
    ERASE_KEY,
    EXCLUDED,
    STREAMS,
    counts_key,
    cursor_key,
    entries_key,
    known_key,
    stream_key,
)
from services.collector.priority import review_priority
from services.collector.review_keys import (
    DECISION_LUA,
    FORGET_REVIEW_LUA,
    OPEN_KEY,
    done_key,
    items_key,
    shown_field,
    shown_key,
)

FORGET_STEP_ENTRIES = (
    500  # deleted in one run: about a millisecond in which Redis does nothing else
)


@dataclass(frozen=True, slots=True)
class Write:
    """One journal event: its sequence, and what it changes; None for nothing but the cursor."""

    sequence: int
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """A script as Redis knows it."""

    text: str
    sha: str


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """A script with its input."""

    script: Script
    keys: tuple[str, ...]
    arguments: tuple[str | int, ...]


# KEYS[1] cursor; ARGV[1] sequence, ARGV[2] the cursor that the writer last saw.
#
# "behind": Redis knows less than it once said. It was emptied, or lost its end in a power cut, or
# is another one; the writer has to start again from the cursor that is there. The same check keeps
# a pipeline whole: when one run in it fails, every later one is behind and writes nothing.
_BEGIN = """
local stored = tonumber(redis.call('GET', KEYS[1]) or '0')
if stored >= tonumber(ARGV[1]) then return {'duplicate', stored} end
if stored < tonumber(ARGV[2]) then return {'behind', stored} end
"""
_END = """
redis.call('SET', KEYS[1], ARGV[1])
return {'written', tonumber(ARGV[1])}
"""


def _script(body: str) -> Script:
    text = _BEGIN + body + _END
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


_PROGRESS = _script("")

# A gateway that went back to a copy of its journal has the newest pairs scored once more, under
# other sequences: the first time counts.
_ONCE_A_PAIR = """
local function is_known(known, pair_id)
  if redis.call('SADD', known, pair_id) == 1 then return false end
  redis.call('SET', KEYS[1], ARGV[1])
  return true
end
"""

# KEYS 2, 3 counts, 4 known pairs. ARGV 3 pair id, 4... what to count.
_EXCLUDED = _script(
    _ONCE_A_PAIR
    + """
redis.call('HLEN', KEYS[2])
redis.call('HLEN', KEYS[3])
if is_known(KEYS[4], ARGV[3]) then return {'duplicate', tonumber(ARGV[1])} end
for index = 4, #ARGV do
  for key = 2, 3 do redis.call('HINCRBY', KEYS[key], ARGV[index], 1) end
end
"""
)

# KEYS 2, 3 counts, 4 known pairs, 5 stream, 6 entries, 7 open, 8 items.
# ARGV 3 pair id, 4 band, 5 priority or '', 6 item, 7... fields.
_SCORED = _script(
    _ONCE_A_PAIR
    + """
local _, counts, session_counts, known, stream, entries, open, items = unpack(KEYS)
local pair_id, band, priority, item = unpack(ARGV, 3, 6)
redis.call('HLEN', counts)
redis.call('HLEN', session_counts)
redis.call('XLEN', stream)
redis.call('LLEN', entries)
redis.call('ZCARD', open)
redis.call('HLEN', items)
if is_known(known, pair_id) then return {'duplicate', tonumber(ARGV[1])} end
redis.call('HINCRBY', counts, band, 1)
redis.call('HINCRBY', session_counts, band, 1)
local entry_id = redis.call('XADD', stream, '*', unpack(ARGV, 7))
redis.call('RPUSH', entries, band .. ' ' .. entry_id .. ' ' .. pair_id)
if priority ~= '' then
  redis.call('ZADD', open, priority, pair_id)
  redis.call('HSET', items, pair_id, item)
end
"""
)

# KEYS 2, 3 counts, 4 stream, 5 entries, 6 open, 7 items, 8 done.
# ARGV 3 pair id, 4 revision, 5 decision, 6 priority or '', 7 item or '', 8 session, 9 reviewer,
#      10 review id, 11 its time in microseconds, 12... fields.
# The item stays: an undo shows the pair again.
_REVIEWED = _script(
    DECISION_LUA
    + """
local _, counts, session_counts, stream, entries, open, items, done = unpack(KEYS)
local pair_id, revision, decision, priority, item, session_id = unpack(ARGV, 3, 8)
redis.call('HLEN', counts)
redis.call('HLEN', session_counts)
redis.call('LLEN', entries)
redis.call('ZCARD', open)
redis.call('HLEN', items)
redis.call('ZCARD', history)
redis.call('HLEN', settled_prefix .. session_id)
local stood = redis.call('HEXISTS', done, pair_id)
local entry_id = redis.call('XADD', stream, '*', unpack(ARGV, 12))
redis.call('RPUSH', entries, 'corrected ' .. entry_id .. ' ' .. pair_id)
if item ~= '' then redis.call('HSETNX', items, pair_id, item) end
local stands = decision ~= 'withdrawn' and 1 or 0
if stands == 1 then
  redis.call('HSET', done, pair_id, revision .. ' ' .. decision)
  remember_decision(session_id, pair_id, tonumber(revision), ARGV[11], {
    reviewer = ARGV[9], review_id = ARGV[10], sequence = tonumber(ARGV[1])
  })
else
  redis.call('HDEL', done, pair_id)
  forget_decision(session_id, pair_id, tonumber(revision))
end
if stands == 0 and priority ~= '' then
  redis.call('ZADD', open, priority, pair_id)
else
  redis.call('ZREM', open, pair_id)
end
if stands ~= stood then
  redis.call('HINCRBY', counts, 'corrected', stands - stood)
  redis.call('HINCRBY', session_counts, 'corrected', stands - stood)
end
"""
)

# KEYS 2 shown. ARGV 3 field, 4 text.
_SHOWN = _script("""
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
""")

# KEYS 2, 3 counts, 4 known pairs, 5 entries, 6 mark to erase, 7 open, 8 items, 9 done,
#      10... streams.
# ARGV 3 session, 4 entries a run, 5... names of the streams.
# Answers "forgetting" until nothing of the session is left; only then the cursor moves. A run that
# comes again finds less to do.
_FORGET = _script(
    FORGET_REVIEW_LUA
    + """
local _, counts, session_counts, known, entries, erase, open, items, done = unpack(KEYS)
local session_id = ARGV[3]
local ids = {}
for index = 5, #ARGV do
  local stream = KEYS[index + 5]
  redis.call('XLEN', stream)
  ids[ARGV[index]] = {key = stream}
end
redis.call('HLEN', counts)
redis.call('HLEN', session_counts)
redis.call('ZCARD', open)
redis.call('HLEN', items)
redis.call('HLEN', done)
local batch = redis.call('LPOP', entries, ARGV[4])
if batch then
  local pair_ids = {}
  for index, entry in ipairs(batch) do
    local stream, id, pair_id = string.match(entry, '^(%S+) (%S+) (.*)$')
    table.insert(ids[stream], id)
    pair_ids[index] = pair_id
  end
  for _, stream in pairs(ids) do
    if stream[1] then redis.call('XDEL', stream.key, unpack(stream)) end
  end
  redis.call('ZREM', open, unpack(pair_ids))
  redis.call('HDEL', items, unpack(pair_ids))
  redis.call('HDEL', done, unpack(pair_ids))
  return {'forgetting', stored}
end
forget_review(session_id)
local numbers = redis.call('HGETALL', session_counts)
redis.call('DEL', session_counts, known)
for index = 1, #numbers, 2 do
  if redis.call('HINCRBY', counts, numbers[index], -numbers[index + 1]) == 0 then
    redis.call('HDEL', counts, numbers[index])
  end
end
redis.call('SET', erase, ARGV[1])
"""
)

SCRIPTS = (_PROGRESS, _EXCLUDED, _SCORED, _REVIEWED, _SHOWN, _FORGET)


def script_run(journal_id: str, cursor: int, write: Write) -> ScriptRun:
    """The run of a script that does a write, for a writer that last saw this cursor."""
    script, keys, arguments = _input(write)
    return ScriptRun(script, (cursor_key(journal_id), *keys), (write.sequence, cursor, *arguments))


def _input(write: Write) -> tuple[Script, tuple[str, ...], tuple[str | int, ...]]:
    match write.change:
        case None:
            return _PROGRESS, (), ()
        case ExcludedPair() as excluded:
            return _excluded_input(excluded)
        case ScoredPair() as scored:
            return _scored_input(scored)
        case ReviewedPair() as reviewed:
            return _reviewed_input(reviewed)
        case ShownText() as shown:
            field = shown_field(shown.segment_id, shown.language)
            return _SHOWN, (shown_key(shown.session_id),), (field, shown.text)
        case ForgottenSession(session_id=session_id):
            keys = (
                *_counts(session_id),
                known_key(session_id),
                entries_key(session_id),
                ERASE_KEY,
                OPEN_KEY,
                items_key(session_id),
                done_key(session_id),
                *map(stream_key, STREAMS),
            )
            return _FORGET, keys, (session_id, FORGET_STEP_ENTRIES, *STREAMS)


def _excluded_input(excluded: ExcludedPair) -> tuple[Script, tuple[str, ...], tuple[str, ...]]:
    session_id = excluded.pair.session_id
    counted = (EXCLUDED, f"{EXCLUDED}:{excluded.reason}")
    return (
        _EXCLUDED,
        (*_counts(session_id), known_key(session_id)),
        (excluded.pair.pair_id, *counted),
    )


def _scored_input(scored: ScoredPair) -> tuple[Script, tuple[str, ...], tuple[str, ...]]:
    session_id = scored.pair.session_id
    keys = (
        *_counts(session_id),
        known_key(session_id),
        stream_key(scored.band),
        entries_key(session_id),
        OPEN_KEY,
        items_key(session_id),
    )
    fields = to_fields(scored)
    priority = _priority(scored)
    item = json.dumps(fields, ensure_ascii=False) if priority else ""
    return _SCORED, keys, (scored.pair.pair_id, scored.band.value, priority, item, *_flat(fields))


def _reviewed_input(reviewed: ReviewedPair) -> tuple[Script, tuple[str, ...], tuple[str, ...]]:
    session_id = reviewed.pair.session_id
    keys = (
        *_counts(session_id),
        stream_key(CORRECTED),
        entries_key(session_id),
        OPEN_KEY,
        items_key(session_id),
        done_key(session_id),
    )
    machine, priority, item = reviewed.machine, "", ""
    if isinstance(machine, ScoredPair):
        item = json.dumps(to_fields(machine), ensure_ascii=False)
        if reviewed.decision is Decision.WITHDRAWN:
            priority = _priority(machine)
    decided = (reviewed.pair.pair_id, str(reviewed.revision), reviewed.decision.value)
    time_us = str(round(reviewed.time.timestamp() * 1e6))
    by = (session_id, reviewed.reviewer, reviewed.review_id, time_us)
    return _REVIEWED, keys, (*decided, priority, item, *by, *_flat(to_fields(reviewed)))


def _counts(session_id: str) -> tuple[str, str]:
    return counts_key(), counts_key(session_id)


def _priority(scored: ScoredPair) -> str:
    """How urgently a person should see the pair; empty when nobody needs to."""
    priority = review_priority(scored)
    return "" if priority is None else repr(priority.value)


def _flat(fields: dict[str, str]) -> tuple[str, ...]:
    return tuple(part for field in fields.items() for part in field)
