"""Everything that is in a Redis, for comparing and for searching."""

from __future__ import annotations

from typing import Any

import redis

from services.collector.pair_keys import ERASE_KEY


def contents(client: redis.Redis) -> dict[str, Any]:
    """Every key with its whole value; of streams the entries."""
    read = {
        "string": client.get,
        "hash": client.hgetall,
        "list": lambda key: client.lrange(key, 0, -1),
        "set": client.smembers,
        "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        "stream": client.xrange,
    }
    return {key: read[client.type(key)](key) for key in sorted(client.scan_iter())}


def state(client: redis.Redis) -> dict[str, Any]:
    """The same, but for what depends on when it was written: an entry's id becomes its position.

    A stream without entries is as good as none, and what is to be erased is only a matter of time.
    """
    found = contents(client)
    found.pop(ERASE_KEY, None)
    positions: dict[str, str] = {}
    for key, value in found.items():
        if client.type(key) == "stream":
            found[key] = [fields for _, fields in value]
            stream = key.rpartition(":")[2]
            for position, (entry_id, _) in enumerate(value):
                positions[f"{stream} {entry_id}"] = f"{stream} {position}"
    for key in found:
        if client.type(key) == "list":
            found[key] = [
                " ".join((positions[" ".join(entry.split(" ")[:2])], entry.split(" ")[2]))
                for entry in found[key]
            ]
    return {key: value for key, value in found.items() if value}
