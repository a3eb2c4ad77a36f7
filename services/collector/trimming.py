"""Takes entries off the streams that every reader has done with. Nothing is ever trimmed by length.

An entry may go when it is older than what is kept anyway and every consumer group of its stream has
acknowledged it. A stream that nobody reads keeps all of its entries, and so does one with a group
that nobody reads with any more: the alarm on the length tells (upkeep.py).
"""

from __future__ import annotations

from redis.asyncio import Redis

from services.collector.pair_keys import STREAMS, stream_key
from services.collector.redis_client import needs_redis

_ENTRIES_A_RUN = 1000  # a millisecond or two in which Redis does nothing else
_MS_A_DAY = 24 * 3600 * 1000

# KEYS 1 stream. ARGV 1 age of the youngest that may go, in ms; 2 entries that may go in one run.
# One script, so that no group can be made or set back between looking and trimming. Trims whole
# nodes only ("~"): with more than one entry a node the last few stay a while longer.
_TRIM = """
local stream = KEYS[1]
if redis.call('EXISTS', stream) == 0 then return 0 end
local groups = redis.call('XINFO', 'GROUPS', stream)
if #groups == 0 then return 0 end
local time = redis.call('TIME')
local low_ms, low_number = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1], 0
for _, group in ipairs(groups) do
  local is = {}
  for index = 1, #group, 2 do is[group[index]] = group[index + 1] end
  local id, next_number = is['last-delivered-id'], 1
  if is['pending'] > 0 then
    id, next_number = redis.call('XPENDING', stream, is['name'])[2], 0
  end
  local ms, number = string.match(id, '^(%d+)-(%d+)$')
  ms, number = tonumber(ms), tonumber(number) + next_number
  if ms < low_ms or (ms == low_ms and number < low_number) then low_ms, low_number = ms, number end
end
if low_ms < 0 then return 0 end
local low = string.format('%.0f-%.0f', low_ms, low_number)
return redis.call('XTRIM', stream, 'MINID', '~', low, 'LIMIT', ARGV[2])
"""


async def trim(redis: Redis, keep_days: float) -> dict[str, int]:
    """Trims every stream; how many entries went from each.

    Args:
        keep_days: entries younger than this stay, whoever has read them.

    Raises:
        Unavailable: QUEUE_UNAVAILABLE.
    """
    script = redis.register_script(_TRIM)
    trimmed = dict.fromkeys(STREAMS, 0)
    for name in STREAMS:
        gone = -1
        while gone:
            with needs_redis():
                gone = int(
                    await script(
                        keys=[stream_key(name)],
                        args=[int(keep_days * _MS_A_DAY), _ENTRIES_A_RUN],
                    )
                )
            trimmed[name] += gone
    return trimmed
