"""How long one session may be, and how fast its audio may come."""

from __future__ import annotations

import time
from collections.abc import Callable

from services.audio import BYTES_PER_SAMPLE, MAX_GAP_S, SAMPLE_RATE_HERTZ
from services.errors import OutOfRange

# Operators are told when so much of it is left: a quarter of an hour of 12 h.
_LAST_SHARE = 1 / 48


class Length:
    """How long a session may be. Samples are those that the session has had."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s

    def left_s(self, next_sample: int) -> float:
        """What may still come."""
        return self.limit_s - next_sample / SAMPLE_RATE_HERTZ

    def is_nearly_over(self, next_sample: int) -> bool:
        """Whether it is time to begin another session."""
        return self.left_s(next_sample) <= self.limit_s * _LAST_SHARE

    def check(self, next_sample: int, first_sample: int, data: bytes) -> None:
        """Raises OutOfRange SESSION_TOO_LONG for a chunk that ends too late.

        A jump that no session makes is SampleClock's to refuse.
        """
        end_sample = first_sample + len(data) // BYTES_PER_SAMPLE
        is_jump = first_sample - next_sample > MAX_GAP_S * SAMPLE_RATE_HERTZ
        if self.left_s(end_sample) < 0 and not is_jump:
            raise OutOfRange(
                "SESSION_TOO_LONG",
                f"a session has at most {self.limit_s:g} s of audio; start another one",
                limit_s=self.limit_s,
            )


class Pace:
    """Tells how long audio has to wait, so that one fast speaker leaves stt to the others.

    A leaky bucket of samples: what came runs out at `speed` seconds of audio a second, and the
    bucket holds `burst_s` of it.

    Args:
        burst_s: audio that may come at once, after a lost connection for example.
        speed: 1 is real time.
    """

    def __init__(
        self, burst_s: float, speed: float, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst_s = burst_s
        self._speed = speed
        self._now_s = now_s
        self._held_s = 0.0  # in the bucket
        self._as_of_s = now_s()

    def wait_s(self, duration_s: float) -> float:
        """How long a chunk has to wait; 0: it may come now."""
        self._run_out()
        # One that is longer than the bucket comes when that is empty.
        over_s = self._held_s + min(duration_s, self._burst_s) - self._burst_s
        return max(0.0, over_s / self._speed)

    def count(self, duration_s: float) -> None:
        """A chunk has come."""
        self._run_out()
        self._held_s += duration_s

    def _run_out(self) -> None:
        now_s = self._now_s()
        self._held_s = max(0.0, self._held_s - (now_s - self._as_of_s) * self._speed)
        self._as_of_s = now_s
