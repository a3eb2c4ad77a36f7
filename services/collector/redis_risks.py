"""What is wrong with a Redis as it is set up. Asks for no more than INFO and XINFO."""

from __future__ import annotations

from redis.asyncio import Redis

from services.collector.pair_keys import STREAMS, stream_key
from services.collector.redis_client import needs_redis

RISKS = ("maxmemory_policy", "appendonly", "stream_node_max_entries")


async def risks(redis: Redis) -> dict[str, str]:
    """The settings with which it can lose pairs, or keep forgotten ones: name to what to do.

    Raises:
        Unavailable: QUEUE_UNAVAILABLE.
    """
    with needs_redis():
        memory = await redis.info("memory")
        persistence = await redis.info("persistence")
    found = {}
    policy = memory.get("maxmemory_policy", "")
    if policy != "noeviction":
        found["maxmemory_policy"] = (
            f"maxmemory-policy is {policy}: a full Redis throws pairs away; set noeviction"
        )
    if not persistence.get("aof_enabled"):
        found["appendonly"] = (
            "appendonly is off: a restart loses pairs (they are collected again only while the "
            "journal has them); set appendonly yes"
        )
    if await _shares_nodes(redis):
        found["stream_node_max_entries"] = (
            "stream-node-max-entries is above 1: the texts of a forgotten session can stay in "
            "memory and on disk beside others; set stream-node-max-entries 1, then FLUSHDB (the "
            "collector fills Redis again from the journal)"
        )
    return found


async def _shares_nodes(redis: Redis) -> bool:
    """Whether a stream has entries that share a node: Redis blanks what is deleted from such a
    node no sooner than the last of its neighbours is deleted, and saves it to disk meanwhile.
    """
    with needs_redis():
        async with redis.pipeline(transaction=False) as pipeline:
            for name in STREAMS:
                pipeline.xinfo_stream(stream_key(name))
            answers = await pipeline.execute(raise_on_error=False)
    return any(
        answer["length"] > answer["radix-tree-keys"]
        for answer in answers
        if not isinstance(answer, Exception)  # a stream that is not there yet
    )
