"""Where the review keeps what in Redis. A pair's id begins with its session's.

Written by the follower, with the cursor:

    glossa:review:open                  ZSET pair_id by priority: what waits, leased ones included
    glossa:review:items:<session_id>    HASH pair_id -> JSON of the entry's fields
    glossa:review:done:<session_id>     HASH pair_id -> "<revision> <decision>"
    glossa:review:shown:<session_id>    HASH "<segment_id>/<language>" -> text of the newest
                                        correction event, which is what displays show

Written by both, whoever knows it first:

    glossa:review:settled:<session_id>  HASH pair_id -> JSON {review_id, reviewer, sequence,
                                        revision} of the newest decision, unless it was withdrawn
    glossa:review:history               ZSET "<reviewer>\n<pair_id>" of those by their time

Written by the leases (review_queue.py):

    glossa:review:lease:pairs           HASH pair_id -> JSON {id, reviewer, until_ms}
    glossa:review:lease:reviewers       HASH reviewer -> pair_id of the one that they have
    glossa:review:skipped:<session_id>  HASH pair_id -> JSON {reviewer: when they skipped it}
"""

from __future__ import annotations

_PREFIX = "glossa:review:"

OPEN_KEY = _PREFIX + "open"
LEASED_PAIRS_KEY = _PREFIX + "lease:pairs"
LEASING_REVIEWERS_KEY = _PREFIX + "lease:reviewers"
HISTORY_KEY = _PREFIX + "history"

HISTORY_DECISIONS = 10_000  # of everybody together; older ones cannot be taken back by `undo`


def items_key(session_id: str) -> str:
    return f"{_PREFIX}items:{session_id}"


def done_key(session_id: str) -> str:
    return f"{_PREFIX}done:{session_id}"


def shown_key(session_id: str) -> str:
    return f"{_PREFIX}shown:{session_id}"


def shown_field(segment_id: int, language: str) -> str:
    return f"{segment_id}/{language}"


def skipped_key(session_id: str) -> str:
    return f"{_PREFIX}skipped:{session_id}"


def settled_key(session_id: str) -> str:
    return f"{_PREFIX}settled:{session_id}"


# For the scripts of the leases and for that of the follower, who both tell of a decision, whichever
# is first. A newer one of the same pair is never replaced by an older.
DECISION_LUA = (
    """
local settled_prefix, history = 'glossa:review:settled:', 'glossa:review:history'
local function settled_decision(session_id, pair_id)
  local text = redis.call('HGET', settled_prefix .. session_id, pair_id)
  return text and cjson.decode(text)
end
local function forget_decision(session_id, pair_id, revision)
  local decision = settled_decision(session_id, pair_id)
  if not decision or decision.revision > revision then return end
  redis.call('HDEL', settled_prefix .. session_id, pair_id)
  redis.call('ZREM', history, decision.reviewer .. '\\n' .. pair_id)
end
local function remember_decision(session_id, pair_id, revision, time_us, decision)
  local known = settled_decision(session_id, pair_id)
  if known and known.revision >= revision then return end
  forget_decision(session_id, pair_id, revision)
  decision.revision = revision
  redis.call('HSET', settled_prefix .. session_id, pair_id, cjson.encode(decision))
  redis.call('ZADD', history, time_us, decision.reviewer .. '\\n' .. pair_id)
"""
    f"  redis.call('ZREMRANGEBYRANK', history, 0, -{HISTORY_DECISIONS} - 1)\nend\n"
)

# For the script that forgets a session: `forget_review(session_id)` deletes every key and every
# field above that belongs to it, those that the follower writes included. Leases are few and the
# history is bounded, so that going through them is quick.
FORGET_REVIEW_LUA = """
local function forget_review(session_id)
  local prefix, beginning = 'glossa:review:', session_id .. '/'
  local function is_its(pair_id) return string.sub(pair_id, 1, #beginning) == beginning end
  for _, pair_id in ipairs(redis.call('HKEYS', prefix .. 'items:' .. session_id)) do
    redis.call('ZREM', prefix .. 'open', pair_id)
  end
  for _, pair_id in ipairs(redis.call('HKEYS', prefix .. 'lease:pairs')) do
    if is_its(pair_id) then redis.call('HDEL', prefix .. 'lease:pairs', pair_id) end
  end
  local having = redis.call('HGETALL', prefix .. 'lease:reviewers')
  for index = 1, #having, 2 do
    if is_its(having[index + 1]) then
      redis.call('HDEL', prefix .. 'lease:reviewers', having[index])
    end
  end
  for _, member in ipairs(redis.call('ZRANGE', prefix .. 'history', 0, -1)) do
    if is_its(string.match(member, '[^\\n]*$')) then
      redis.call('ZREM', prefix .. 'history', member)
    end
  end
  for _, kind in ipairs({'items', 'done', 'shown', 'skipped', 'settled'}) do
    redis.call('DEL', prefix .. kind .. ':' .. session_id)
  end
end
"""
