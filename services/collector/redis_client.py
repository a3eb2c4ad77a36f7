"""The collector's connection to Redis, and how its failures are told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.errors import Unavailable


def open_redis(url: str, timeout_s: float) -> Redis:
    """Connects on first use. `timeout_s` is the silence after which a call is given up.

    Nothing is retried in here: what a caller does about a Redis that is away is its own matter.
    """
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )


def url_with_password(url: str, password_file: Path) -> str:
    """The URL with the password that a file holds. Raises OSError."""
    password = password_file.read_text(encoding="utf-8").strip()
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(
        netloc=f"{parts.username or ''}:{quote(password, safe='')}@{host}"
    ).geturl()


@contextlib.contextmanager
def needs_redis() -> Iterator[None]:
    """Raises Unavailable QUEUE_UNAVAILABLE for whatever Redis does not do."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(
            "QUEUE_UNAVAILABLE",
            f"Redis does not do its work: {type(error).__name__}: {str(error)[:200]}",
        ) from error
