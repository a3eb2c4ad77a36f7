"""What a stream said last: told to the recogniser, so that it goes on in the same vein.

A wrong context makes the next segment wrong too, and that one the next; so it is dropped whenever
there is a reason to doubt it.
"""

from __future__ import annotations

from collections import deque

# Whisper's prompt holds 224 tokens, about 900 characters; 200 are enough for it to go on in the
# same vein (ufal/whisper_streaming uses as many).
MAX_CHARACTERS = 200
# A speaker who pauses for so long begins something new.
PAUSE_MS = 2_000
# A recogniser that repeats itself into silence does so for this long.
REPEAT_PAUSE_MS = 10_000
_KEPT_GAPS = 8


class SpokenContext:
    """The finals of one stream, the newest last. Offsets are the session's, in milliseconds."""

    def __init__(self) -> None:
        self._text = ""
        self._last_final = ""
        self._end_ms = 0
        self._gaps_ms: deque[int] = deque(maxlen=_KEPT_GAPS)

    def before(self, start_ms: int) -> str:
        """The end of what was said before a segment; empty when nothing carries over to it."""
        return "" if self._is_cut_off(start_ms, PAUSE_MS) else self._text

    def last_final(self, start_ms: int) -> str:
        """The final shown just before a segment; empty after a long pause."""
        return "" if self._is_cut_off(start_ms, REPEAT_PAUSE_MS) else self._last_final

    def note_final(self, text: str, start_ms: int, end_ms: int, *, is_doubtful: bool) -> None:
        """A segment that was shown; a doubtful one carries nothing over."""
        said = f"{self.before(start_ms)} {text}".strip()
        self._text = "" if is_doubtful else _last_words(said)
        self._last_final = text
        self._end_ms = end_ms

    def note_suppressed(self) -> None:
        """A segment that was not shown."""
        self._text = ""

    def note_gap(self, sample_ms: int) -> None:
        """Samples before this offset never came."""
        self._gaps_ms.append(sample_ms)

    def _is_cut_off(self, start_ms: int, pause_ms: int) -> bool:
        is_late = start_ms - self._end_ms > pause_ms
        return is_late or any(self._end_ms <= gap_ms <= start_ms for gap_ms in self._gaps_ms)


def _last_words(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    return text[-MAX_CHARACTERS:].partition(" ")[2]
