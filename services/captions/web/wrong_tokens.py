"""Slows down who guesses tokens."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from services.errors import Overloaded

_BURST = 20
_INTERVAL_S = 3.0  # one more wrong token is let through each
_PEERS_LIMIT = 4096


class WrongTokens:
    """Lets 20 wrong tokens of a peer through, then one every three seconds.

    A peer that has used them up is refused with any token, since a right one that came through
    would tell. Forgets whoever was wrong longest ago when there are more than 4096 peers.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._paid_until_s: OrderedDict[str, float] = OrderedDict()

    def check(self, peer: str) -> None:
        """Raises Overloaded: TOO_MANY_WRONG_TOKENS."""
        ahead_s = self._paid_until_s.get(peer, 0.0) - self._now_s()
        wait_s = ahead_s - (_BURST - 1) * _INTERVAL_S
        if wait_s > 0:
            raise Overloaded(
                "TOO_MANY_WRONG_TOKENS",
                "too many wrong tokens came from this address; wait a little and try again",
                retry_after_s=wait_s,
            )

    def count(self, peer: str) -> None:
        """One more was wrong."""
        now_s = self._now_s()
        paid_until_s = max(self._paid_until_s.pop(peer, 0.0), now_s)
        self._paid_until_s[peer] = paid_until_s + _INTERVAL_S
        if len(self._paid_until_s) > _PEERS_LIMIT:
            self._paid_until_s.popitem(last=False)
