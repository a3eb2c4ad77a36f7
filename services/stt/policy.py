"""Where segments begin and end, decided from voice activity and, if there are any, settled words.

Pure: windows and words in, boundaries out; no audio, no clock, no engine. Without words the same
windows give the same boundaries however fast they come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from services.audio import ms_to_samples

CloseCause = Literal["silence", "music", "sentence", "length", "gap", "finish"]


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
    # A sentence that ends sooner does not end the segment: "Amen." alone is no caption.
    min_sentence_ms: int = 2_000
    max_segment_ms: int = 13_000
    # A forced cut looks this far back for the quietest moment.
    cut_search_ms: int = 4_000
    # A recogniser's word times are this far off (Whisper's come in steps of 20 ms from attention).
    word_time_error_ms: int = 96
    # When singing is found to be over, it has been for so long (music.MusicDetector).
    music_release_ms: int = 1_088
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
        is_music: whether music is playing.
    """

    first_sample: int
    end_sample: int
    probability: float
    level: float = 0.0
    is_music: bool = False


@dataclass(frozen=True)
class WordGap:
    """Where the open segment may be cut: after its settled words.

    Args:
        after_sample: end of the last settled word.
        before_sample: start of the next word; where there is none, the end of what was recognised.
        ends_sentence: whether the last settled word ends a sentence.
    """

    after_sample: int
    before_sample: int
    ends_sentence: bool


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
        speech_first_sample: start of the first window with speech.
        speech_end_sample: end of the last window with speech.
        endpoint_sample: where the end was decided.
        speech_probability: mean over the better half of the windows from the first to the last with
            speech, [0, 1]: whether somebody speaks in it, not for how much of the time. Over all of
            them "Amen." would be in doubt for its trail, and slow speech for its pauses.
        music_share: of the windows of the segment, [0, 1].
        at_words: whether it ends where the settled words end.
    """

    first_sample: int
    end_sample: int
    speech_first_sample: int
    speech_end_sample: int
    endpoint_sample: int
    speech_probability: float
    music_share: float
    cause: CloseCause
    at_words: bool = False


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
        self._gap: WordGap | None = None  # of the open segment
        self._is_open = False
        self._first_sample = 0  # of the open segment
        self._floor: int | None = None  # no segment begins before it
        self._lead_samples = ms_to_samples(policy.lead_ms)
        self._position = 0

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
            yield from self._cut_after_music(window)
            yield from self._close_on_sentence(window)
            yield from self._close_on_length(window)

    def settle(self, gap: WordGap) -> None:
        """Tells where the settled words of the open segment end; a later call replaces this one.

        The next window brings the boundary, if it makes one.
        """
        if self._is_open:
            self._gap = gap

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
        silence_samples = window.end_sample - self._speech_end(self._windows)
        if silence_samples >= ms_to_samples(self._policy.end_silence_ms):
            yield self._close(self._trail_end(), window.end_sample, "silence")

    def _cut_after_music(self, window: Window) -> Iterator[Boundary]:
        """Parts speech from the singing before it, with which it would be thrown away."""
        if window.is_music or not any(before.is_music for before in self._windows[-2:-1]):
            return
        release_samples = ms_to_samples(self._policy.music_release_ms)
        first_spoken = window.end_sample - release_samples
        self._windows = [
            replace(w, is_music=False) if w.first_sample >= first_spoken else w
            for w in self._windows
        ]
        sung = [w for w in self._windows if w.first_sample < first_spoken]
        if sung:
            yield from self._cut(sung[-1].end_sample, window, "music", at_words=False)

    def _close_on_sentence(self, window: Window) -> Iterator[Boundary]:
        gap = self._gap
        if gap is None or not gap.ends_sentence:
            return
        if gap.after_sample - self._first_sample >= ms_to_samples(self._policy.min_sentence_ms):
            yield from self._cut(self._quietest_in(gap), window, "sentence", at_words=True)

    def _close_on_length(self, window: Window) -> Iterator[Boundary]:
        limit_samples = ms_to_samples(self._policy.max_segment_ms)
        if not self._is_open or window.end_sample - self._first_sample < limit_samples:
            return
        gap = self._gap
        # Words that settled long ago say nothing of the long rest.
        if gap is not None and gap.after_sample - self._first_sample >= limit_samples // 2:
            yield from self._cut(self._quietest_in(gap), window, "length", at_words=True)
        else:
            yield from self._cut(self._quietest_end(window), window, "length", at_words=False)

    def _cut(
        self,
        cut_sample: int,
        window: Window,
        cause: Literal["music", "sentence", "length"],
        *,
        at_words: bool,
    ) -> Iterator[Boundary]:
        after_cut = [w for w in self._windows if w.first_sample >= cut_sample]
        self._position = cut_sample
        yield self._close(cut_sample, window.end_sample, cause, at_words=at_words)
        # Speech goes on: the next segment begins at the cut unless a pause follows it.
        self._lead_samples = ms_to_samples(self._policy.end_silence_ms)
        for later in after_cut:
            yield from self._replay(later)

    def _replay(self, window: Window) -> Iterator[Boundary]:
        self._position = window.end_sample
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

        if not candidates:
            return last.end_sample
        return windows[min(candidates, key=self._loudness)].end_sample

    def _quietest_in(self, gap: WordGap) -> int:
        """End of the quietest window in the gap, of several the one next to its middle."""
        error_samples = ms_to_samples(self._policy.word_time_error_ms)
        middle = (gap.after_sample + max(gap.after_sample, gap.before_sample)) // 2

        def distance(index: int) -> int:
            return abs(self._windows[index].end_sample - middle)

        indexes = range(len(self._windows))
        candidates = [
            index
            for index in indexes
            if gap.after_sample - error_samples
            <= self._windows[index].end_sample
            <= gap.before_sample + error_samples
        ]
        if candidates:
            best = min(candidates, key=lambda index: (*self._loudness(index), distance(index)))
        else:
            best = min(indexes, key=distance)
        return self._windows[best].end_sample

    def _loudness(self, index: int) -> tuple[float, float]:
        around = self._windows[max(0, index - 1) : index + 2]
        probability = sum(w.probability for w in around) / len(around)
        return round(probability, 1), sum(w.level for w in around) / len(around)

    def _speech_end(self, windows: Sequence[Window]) -> int:
        for window in reversed(windows):
            if window.probability >= self._policy.end_threshold:
                return window.end_sample
        return windows[0].end_sample

    def _trail_end(self) -> int:
        trail_samples = ms_to_samples(self._policy.trail_ms)
        return min(self._speech_end(self._windows) + trail_samples, self._windows[-1].end_sample)

    def _close(
        self, end_sample: int, endpoint_sample: int, cause: CloseCause, *, at_words: bool = False
    ) -> SegmentClosed:
        kept = [w for w in self._windows if w.first_sample < end_sample]
        speech_end_sample = min(self._speech_end(kept), end_sample)
        closed = SegmentClosed(
            first_sample=self._first_sample,
            end_sample=end_sample,
            speech_first_sample=kept[0].first_sample,
            speech_end_sample=speech_end_sample,
            endpoint_sample=endpoint_sample,
            speech_probability=_better_half_mean(
                [w.probability for w in kept if w.first_sample < speech_end_sample]
            ),
            music_share=sum(w.is_music for w in kept) / len(kept),
            cause=cause,
            at_words=at_words,
        )
        self._is_open = False
        self._windows = []
        self._gap = None
        self._floor = end_sample
        return closed


def _better_half_mean(probabilities: Sequence[float]) -> float:
    better = sorted(probabilities)[len(probabilities) // 2 :]
    return sum(better) / len(better)
