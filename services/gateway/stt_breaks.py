"""Finds the audio that breaks stt whenever it is sent."""

from __future__ import annotations

from services.audio import SAMPLE_RATE_HERTZ

# Streams in a row that must break on the same audio. A crash for another reason hardly comes so
# often without a single segment in between; with the gateway's backoff it takes some 3 s.
_BREAKS_NEEDED = 6
# An engine that is broken altogether breaks on all audio. Each skip after another needs twice as
# many breaks, so that it is waited for and not fed the sermon piece by piece.
_MOST_DOUBLINGS = 5
# Skipped at once: as long as most segments, so that a bad one is left behind in one or two skips.
_PIECE_SAMPLES = 5 * SAMPLE_RATE_HERTZ

# Reasons that say nothing of the audio: they are there between two crashes, too.
_INNOCENT_REASONS = frozenset(
    {"IDLE_TIMEOUT", "NOT_READY", "OVERLOADED", "SHUTTING_DOWN", "TOO_MANY_STREAMS"}
)
# Reasons that explain the breaks before them, some of which gRPC reports as INTERNAL (see
# services.errors.PeerStatus).
_OTHER_CAUSES = frozenset({"JOURNAL_FAILED", "OUT_OF_MEMORY"})


class SttBreaks:
    """Counts the streams of one session that broke on the same audio.

    An stt that is away says nothing of the audio, however long: only streams count in which stt
    took part, by answering or by naming a failure of its engine.
    """

    def __init__(self) -> None:
        self._settled_sample = -1
        self._sent_sample = 0  # the greatest of the streams counted
        self._count = 0
        self._skips = 0

    def note(self, settled_sample: int, sent_sample: int, reason: str, *, answered: bool) -> int:
        """Notes a stream that broke.

        Args:
            settled_sample: below it nothing is sent again; greater than before means progress.
            sent_sample: the stream was sent the samples below it.
            answered: stt answered in this stream.

        Returns:
            The sample up to which audio is to be skipped, of what was sent; settled_sample when
            none is.
        """
        if settled_sample > self._settled_sample:
            self._settled_sample, self._count, self._skips = settled_sample, 0, 0
        if reason in _OTHER_CAUSES:
            self._count = 0
            return settled_sample
        took_part = answered or reason == "ENGINE_FAILED"
        if took_part and reason not in _INNOCENT_REASONS and sent_sample > settled_sample:
            self._count += 1
            self._sent_sample = max(self._sent_sample, sent_sample)
        if self._count < _BREAKS_NEEDED * 2 ** min(self._skips, _MOST_DOUBLINGS):
            return settled_sample
        self._count = 0
        self._skips += 1
        self._settled_sample = min(self._sent_sample, settled_sample + _PIECE_SAMPLES)
        return self._settled_sample
