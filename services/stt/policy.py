"""Where segments begin and end, decided from voice activity alone.

Pure: windows in, boundaries out; no audio, no clock, no engine. The same windows give the same
boundaries however fast they come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from services.audio import ms_to_samples

CloseCause = Literal["silence", "length", "gap", "finish"]


@dataclass(frozen=True)
class SegmentationPolicy:
    """When a segment begins and ends. Thresholds are probabilities, [0, 1]."""

    start_threshold: float = 0.5
    # Below the start's, or a segment would flicker at the edge (silero's own VADIterator: -0.15).
    end_threshold: float = 0.35
    # Speech has to be in so many of the last `confirm_windows` windows; clicks and coughs are not.
    min_speech_windows: int = 4
    confirm_windows: int = 8
    # Kept before the first speech window: without it the first consonant is clipped. This, the
    # trail and the warm-up are whole windows of 32 ms: a reopened stream has the same windows.
    lead_ms: int = 256
    # Kept after the last speech window, for the same reason.
    trail_ms: int = 192
    end_silence_ms: int = 600
    max_segment_ms: int = 13_000
    # A forced cut looks this far back for the quietest moment.
    cut_search_ms: int = 4_000
    # How long the voice activity model needs to hear a stream before its answers are good.
    warm_up_ms: int = 320


@dataclass(frozen=True)
class Window:
    """What is known of one run of samples.

    Args:
        first_sample: index of its first sample in the session.
        end_sample: index after its last sample.
        probability: of speech, [0, 1].
        level: mean absolute amplitude, [0, 1]; decides between equally silent windows.
    """

    first_sample: int
    end_sample: int
    probability: float
    level: float = 0.0


@dataclass(frozen=True)
class SegmentOpened:
    """Speech began."""

    first_sample: int  # lead included


@dataclass(frozen=True)
class SegmentClosed:
    """A segment is complete.

    Args:
        first_sample: as in its SegmentOpened.
        end_sample: end of the samples to decode, trail included.
        speech_end_sample: end of the last window with speech.
        endpoint_sample: where the end was decided.
        speech_probability: mean over the windows of the segment, [0, 1].
    """

    first_sample: int
    end_sample: int
    speech_end_sample: int
    endpoint_sample: int
    speech_probability: float
    cause: CloseCause


Boundary = SegmentOpened | SegmentClosed


class Segmenter:
    """Turns the windows of one stream into boundaries.

    Between `first_sample` of a segment and `restart_sample` of the next nothing is lost but
    silence: a stream that is opened again at `restart_sample` finds the same next segment.
    """

    def __init__(self, policy: SegmentationPolicy) -> None:
        self._policy = policy
        self._recent: deque[Window] = deque(maxlen=policy.confirm_windows)
        self._windows: list[Window] = []  # of the open segment
        self._is_open = False
        self._first_sample = 0  # of the open segment
        self._floor: int | None = None  # no segment begins before it
        self._lead_samples = ms_to_samples(policy.lead_ms)
        self._position = 0

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def restart_sample(self) -> int:
        """The sample from which the audio is still needed, finals apart.

        An open segment holds it where it stood when the segment opened.
        """
        needed = self._first_sample
        if not self._is_open:  # one may still begin as far back as its confirmation and its lead
            first_heard = self._recent[0].first_sample if self._recent else self._position
            needed = first_heard - self._lead_samples
        return max(self._floor or 0, needed - ms_to_samples(self._policy.warm_up_ms))

    def accept(self, window: Window) -> Iterator[Boundary]:
        """The boundaries that this window brings. Windows come in order and without gaps."""
        if self._floor is None:
            self._floor = window.first_sample
        self._position = window.end_sample
        if not self._is_open:
            yield from self._listen(window)
        else:
            self._windows.append(window)
            yield from self._close_on_silence(window)
            yield from self._close_on_length(window)

    def finish(self, cause: Literal["gap", "finish"]) -> Iterator[Boundary]:
        """Closes the open segment, if there is one; the next window may begin anywhere."""
        if self._is_open:
            yield self._close(self._trail_end(), self._position, cause)
        self._recent.clear()
        self._floor = None

    def _listen(self, window: Window) -> Iterator[Boundary]:
        policy = self._policy
        self._recent.append(window)
        speech = [w for w in self._recent if w.probability >= policy.start_threshold]
        if window.probability < policy.start_threshold or len(speech) < policy.min_speech_windows:
            return
        first_sample = max(self._floor or 0, speech[0].first_sample - self._lead_samples)
        self._is_open = True
        self._first_sample = first_sample
        self._windows = [w for w in self._recent if w.first_sample >= speech[0].first_sample]
        self._recent.clear()
        self._lead_samples = ms_to_samples(policy.lead_ms)
        yield SegmentOpened(first_sample)

    def _close_on_silence(self, window: Window) -> Iterator[Boundary]:
        silence_samples = window.end_sample - self._speech_end()
        if silence_samples >= ms_to_samples(self._policy.end_silence_ms):
            yield self._close(self._trail_end(), window.end_sample, "silence")

    def _close_on_length(self, window: Window) -> Iterator[Boundary]:
        policy = self._policy
        if not self._is_open:
            return
        if window.end_sample - self._first_sample < ms_to_samples(policy.max_segment_ms):
            return
        cut_sample = self._quietest_end(window)
        after_cut = [w for w in self._windows if w.first_sample >= cut_sample]
        yield self._close(cut_sample, window.end_sample, "length")
        # Speech goes on: the next segment begins at the cut unless a pause follows it.
        self._lead_samples = ms_to_samples(policy.end_silence_ms)
        for later in after_cut:
            yield from self._replay(later)

    def _replay(self, window: Window) -> Iterator[Boundary]:
        if not self._is_open:
            yield from self._listen(window)
        else:
            self._windows.append(window)
            yield from self._close_on_silence(window)

    def _quietest_end(self, last: Window) -> int:
        """End of the quietest of the last windows: least speech first, then least level.

        Both are means over three windows: a cut wants a pause, not a dip inside a consonant.
        """
        search_from = last.end_sample - ms_to_samples(self._policy.cut_search_ms)
        windows = self._windows
        candidates = [
            index
            for index in range(1, len(windows) - 1)
            if windows[index].first_sample >= search_from
        ]

        def loudness(index: int) -> tuple[float, float]:
            around = list(islice(windows, index - 1, index + 2))
            probability = sum(w.probability for w in around) / len(around)
            return round(probability, 1), sum(w.level for w in around)

        if not candidates:
            return last.end_sample
        return windows[min(candidates, key=loudness)].end_sample

    def _speech_end(self) -> int:
        for window in reversed(self._windows):
            if window.probability >= self._policy.end_threshold:
                return window.end_sample
        return self._windows[0].end_sample

    def _trail_end(self) -> int:
        trail_samples = ms_to_samples(self._policy.trail_ms)
        return min(self._speech_end() + trail_samples, self._windows[-1].end_sample)

    def _close(self, end_sample: int, endpoint_sample: int, cause: CloseCause) -> SegmentClosed:
        kept = [w for w in self._windows if w.first_sample < end_sample]
        closed = SegmentClosed(
            first_sample=self._first_sample,
            end_sample=end_sample,
            speech_end_sample=min(self._speech_end(), end_sample),
            endpoint_sample=endpoint_sample,
            speech_probability=sum(w.probability for w in kept) / len(kept),
            cause=cause,
        )
        self._is_open = False
        self._windows = []
        self._floor = end_sample
        return closed
