"""What the leases do in Redis, a script an operation: no two people are ever given the same pair.

Each answers with a list: what became of it, then what belongs to that. review_queue.py runs them;
review_keys.py says what is where.
"""

from __future__ import annotations

from services.collector.review_keys import DECISION_LUA

_COMMON = (
    DECISION_LUA
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
LEASE = (
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
HELD = (
    _COMMON
    + """
local lease = lease_of(ARGV[2])
if lease and lease.id == ARGV[1] then return {'held', lease.reviewer} end
-- A decision that was made is taken once more, in the same words, when its answer was lost.
local settled = settled_decision(session_of(ARGV[2]), ARGV[2])
if settled and settled.review_id == ARGV[3] then return {'held', settled.reviewer} end
return {'lost'}
"""
)

# ARGV 1 lease, 2 its pair, 3 milliseconds
RENEW = (
    _COMMON
    + """
local lease = lease_of(ARGV[2])
if not lease or lease.id ~= ARGV[1] then return {'lost'} end
return {'held', give(ARGV[2], lease.reviewer, tonumber(ARGV[3]), '').until_ms}
"""
)

# ARGV 1 lease, 2 its pair, 3 '1' to skip it
RELEASE = (
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
# The pair may have been given to somebody else while the decision was on its way: it is decided, so
# theirs is lost. Without any lease the session was forgotten meanwhile, and nothing may be written.
# What the follower has read already it has closed itself; the pair may be open again by now.
SETTLE = (
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
remember_decision(session_of(pair_id), pair_id, tonumber(ARGV[5]), now_us, {
  review_id = ARGV[2], reviewer = ARGV[3], sequence = sequence
})
return {'settled'}
"""
)

# ARGV 1 reviewer, 2 milliseconds, 3 token
#
# Nobody else can be given the pair from here on, although it is not open before the follower has
# read in the journal that the decision was withdrawn.
BEGIN_UNDO = (
    _COMMON
    + """
local reviewer = ARGV[1]
local pair_id
local first = 0
while not pair_id do
  local page = redis.call('ZREVRANGE', history, first, first + 99)
  for _, member in ipairs(page) do
    local by, its_pair = string.match(member, '^(.*)\\n([^\\n]*)$')
    if by == reviewer then
      pair_id = its_pair
      break
    end
  end
  if not pair_id and #page < 100 then return {'nothing'} end
  first = first + 100
end
local settled = settled_decision(session_of(pair_id), pair_id)
local lease = lease_of(pair_id)
if is_anothers(lease, reviewer) then return {'leased', lease.reviewer} end
lease = give(pair_id, reviewer, tonumber(ARGV[2]), ARGV[3])
return {'given', pair_id, lease.id, settled.review_id, settled.revision}
"""
)

# ARGV 1 pair, 2 revision of the withdrawal
END_UNDO = (
    _COMMON
    + """
forget_decision(session_of(ARGV[1]), ARGV[1], tonumber(ARGV[2]))
return {'ended'}
"""
)

# ARGV 1 session or '', 2 at most this many
LIST = (
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
PROGRESS = (
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
