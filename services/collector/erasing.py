"""Gets forgotten texts off the disk: the append-only file has them until it is rewritten.

A session that is forgotten leaves a mark (ERASE_KEY), and only a rewrite that began after the mark
and ended well takes it away. So a crash in between costs a second rewrite, never the first.
"""

from __future__ import annotations

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.collector.pair_keys import ERASE_KEY
from services.collector.redis_client import needs_redis

log = structlog.get_logger()

# KEYS 1 mark. ARGV 1 the mark as it was when the rewrite began.
_UNMARK = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


class Eraser:
    """Brings a rewrite about, a step each time it is called; it never waits for one."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._unmark = redis.register_script(_UNMARK)
        self._begun_for = ""  # mark of the rewrite that was begun last
        self._refused_for = ""  # mark of the one that was refused last, as logged

    async def step(self) -> None:
        """Raises Unavailable QUEUE_UNAVAILABLE."""
        with needs_redis():
            mark = await self._redis.get(ERASE_KEY)
            if mark is None:
                return
            state = await self._redis.info("persistence")
            if state["aof_rewrite_in_progress"] or state["aof_rewrite_scheduled"]:
                return
            has_ended_well = (
                mark == self._begun_for
                and state["aof_last_bgrewrite_status"] == "ok"
                and state["aof_last_rewrite_time_sec"] >= 0  # else Redis was started since
            )
            if not state["aof_enabled"]:  # there is no such file (redis_risks.py tells)
                await self._unmark(keys=[ERASE_KEY], args=[mark])
            elif has_ended_well:
                await self._unmark(keys=[ERASE_KEY], args=[mark])
                log.info("forgotten_texts_erased")
            else:
                await self._begin(mark)

    async def _begin(self, mark: str) -> None:
        try:
            await self._redis.bgrewriteaof()
        except ResponseError as error:
            if mark != self._refused_for:
                log.warning(
                    "forgotten_texts_on_disk",
                    message=str(error),
                    advice="let the collector's user run BGREWRITEAOF: the append-only file still "
                    "holds what was forgotten",
                )
            self._refused_for = mark
        else:
            self._begun_for = mark
