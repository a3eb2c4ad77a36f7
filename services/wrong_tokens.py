"""Slows down who guesses tokens."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from services.errors import Overloaded

_BURST = 20
_INTERVAL_S = 3.0  # one more wrong token is let through each
_PEERS_LIMIT = 4096
_REMEMBERED = 8  # wrong tokens of a peer that are no further guess


@dataclass(frozen=True, slots=True)
class _Guesses:
    paid_until_s: float
    latest: tuple[bytes, ...]


class WrongTokens:
    """Lets 20 wrong tokens of a peer through, then one every three seconds.

    A peer that has used them up is refused with any token, since a right one that came through
    would tell. One of its latest eight again is no further guess: programs whose tokens were
    revoked try and try, and must not shut out the others of their machine. Forgets whoever was
    wrong longest ago when there are more than 4096 peers.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()

    def check(self, peer: str) -> None:
        """Raises Overloaded: TOO_MANY_WRONG_TOKENS."""
        guesses = self._guesses.get(peer)
        if guesses is None:
            return
        wait_s = guesses.paid_until_s - self._now_s() - (_BURST - 1) * _INTERVAL_S
        if wait_s > 0:
            raise Overloaded(
                "TOO_MANY_WRONG_TOKENS",
                "too many wrong tokens came from this address; wait a little and try again",
                retry_after_s=wait_s,
            )

    def count(self, peer: str, token: str) -> bool:
        """One more was wrong; False when it is a late one again, which counts for nothing."""
        now_s = self._now_s()
        guesses = self._guesses.pop(peer, _Guesses(0.0, ()))
        # Not the token itself: what is wrong here may be right elsewhere.
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        is_new = digest not in guesses.latest
        latest = (digest, *(each for each in guesses.latest if each != digest))[:_REMEMBERED]
        paid_until_s = max(guesses.paid_until_s, now_s) + (_INTERVAL_S if is_new else 0.0)
        self._guesses[peer] = _Guesses(paid_until_s, latest)
        if len(self._guesses) > _PEERS_LIMIT:
            self._guesses.popitem(last=False)
        return is_new
