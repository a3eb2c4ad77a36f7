"""Segmentation on scripted voice activity: no audio, no model."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.audio import ms_to_samples
from services.stt.policy import (
    Boundary,
    SegmentationPolicy,
    SegmentClosed,
    Segmenter,
    SegmentOpened,
    Window,
    WordGap,
)

WINDOW = 512
POLICY = SegmentationPolicy()


def windows(*runs: tuple[float, int], first_sample: int = 0, level: float = 0.1) -> list[Window]:
    """Windows for (probability, count) runs."""
    probabilities = [probability for probability, count in runs for _ in range(count)]
    return [
        Window(first_sample + i * WINDOW, first_sample + (i + 1) * WINDOW, probability, level)
        for i, probability in enumerate(probabilities)
    ]


def boundaries(heard: list[Window], finish: bool = True) -> list[Boundary]:
    segmenter = Segmenter(POLICY)
    found = [boundary for window in heard for boundary in segmenter.accept(window)]
    return [*found, *(segmenter.finish("finish") if finish else ())]


def closed(found: list[Boundary]) -> list[SegmentClosed]:
    return [boundary for boundary in found if isinstance(boundary, SegmentClosed)]


def test_silence_opens_nothing() -> None:
    assert boundaries(windows((0.02, 500))) == []


def test_a_click_of_three_windows_opens_nothing() -> None:
    assert boundaries(windows((0.0, 50), (0.9, 3), (0.0, 50))) == []


def test_speech_begins_with_its_lead_and_ends_with_its_trail() -> None:
    opened, ended = boundaries(windows((0.0, 50), (0.9, 40), (0.0, 50)), finish=False)
    assert opened == SegmentOpened(50 * WINDOW - ms_to_samples(POLICY.lead_ms))
    assert isinstance(ended, SegmentClosed)
    assert ended.cause == "silence"
    assert ended.speech_end_sample == 90 * WINDOW
    assert ended.end_sample == 90 * WINDOW + ms_to_samples(POLICY.trail_ms)


def test_the_lead_never_reaches_before_the_stream() -> None:
    opened = boundaries(windows((0.9, 40), first_sample=7000))[0]
    assert opened == SegmentOpened(7000)


def test_the_end_is_decided_after_the_silence_and_no_later() -> None:
    (ended,) = closed(boundaries(windows((0.9, 40), (0.0, 100)), finish=False))
    wait_samples = ended.endpoint_sample - ended.speech_end_sample
    assert 0 <= wait_samples - ms_to_samples(POLICY.end_silence_ms) < WINDOW


def test_a_breath_does_not_end_a_segment() -> None:
    found = boundaries(windows((0.9, 40), (0.0, 15), (0.9, 40), (0.0, 30)), finish=False)
    assert len(closed(found)) == 1


def test_between_the_thresholds_speech_goes_on_but_does_not_begin() -> None:
    assert boundaries(windows((0.4, 100))) == []
    assert closed(boundaries(windows((0.9, 10), (0.4, 100)), finish=False)) == []


def test_speech_without_pauses_is_cut_at_the_quietest_recent_window() -> None:
    limit = ms_to_samples(POLICY.max_segment_ms) // WINDOW
    dip_at = limit - 60
    heard = windows((0.95, dip_at), (0.5, 3), (0.95, 200))
    first = closed(boundaries(heard, finish=False))[0]
    assert first.cause == "length"
    assert dip_at * WINDOW < first.end_sample <= (dip_at + 3) * WINDOW


def test_equal_probabilities_are_cut_where_it_is_least_loud() -> None:
    limit = ms_to_samples(POLICY.max_segment_ms) // WINDOW
    heard = windows((0.95, limit + 100))
    quiet_at = limit - 40
    for index in range(quiet_at - 1, quiet_at + 2):
        window = heard[index]
        heard[index] = Window(window.first_sample, window.end_sample, window.probability, 0.01)
    first = closed(boundaries(heard, finish=False))[0]
    assert first.end_sample == (quiet_at + 1) * WINDOW


def test_a_cut_loses_no_sample() -> None:
    found = boundaries(windows((0.95, 2000)))
    ends = [boundary.end_sample for boundary in closed(found)]
    starts = [boundary.first_sample for boundary in closed(found)]
    assert len(ends) >= 4
    assert starts[1:] == ends[:-1]


def test_finish_closes_what_is_open() -> None:
    (ended,) = closed(boundaries(windows((0.0, 20), (0.9, 40), (0.0, 2))))
    assert ended.cause == "finish"
    assert ended.speech_end_sample == 60 * WINDOW


def test_after_a_gap_nothing_reaches_back_over_it() -> None:
    segmenter = Segmenter(POLICY)
    for window in windows((0.9, 40)):
        list(segmenter.accept(window))
    (ended,) = segmenter.finish("gap")
    assert isinstance(ended, SegmentClosed)
    assert ended.cause == "gap"
    later = windows((0.9, 40), first_sample=100_000)
    opened = next(boundary for window in later for boundary in segmenter.accept(window))
    assert opened == SegmentOpened(100_000)


def speech_probability(*runs: tuple[float, int]) -> float:
    (ended,) = closed(boundaries(windows(*runs, (0.0, 50)), finish=False))
    return ended.speech_probability


def test_a_short_word_is_as_surely_speech_as_a_long_sentence() -> None:
    # "Amen.": voice activity rises and falls gradually.
    assert speech_probability((0.6, 2), (0.9, 6), (0.5, 2)) >= 0.85
    assert abs(speech_probability((0.9, 100)) - 0.9) < 1e-6


def test_pauses_between_words_are_no_doubt_of_the_speech() -> None:
    assert speech_probability(*[(0.95, 12), (0.02, 12)] * 8) >= 0.9


def test_what_seldom_sounds_like_speech_is_doubtful() -> None:
    assert speech_probability(*[(0.6, 4), (0.1, 16)] * 8) < 0.4


def test_in_silence_the_restart_sample_follows_closely() -> None:
    segmenter = Segmenter(POLICY)
    heard = windows((0.0, 200))
    for window in heard:
        list(segmenter.accept(window))
    assert heard[-1].end_sample - segmenter.restart_sample < ms_to_samples(1000)


def settled(heard: list[Window], *gaps: tuple[int, WordGap], finish: bool = True) -> list[Boundary]:
    """The boundaries when each gap is told before the window with its number."""
    segmenter = Segmenter(POLICY)
    found: list[Boundary] = []
    for number, window in enumerate(heard):
        for due, gap in gaps:
            if due == number:
                segmenter.settle(gap)
        found += segmenter.accept(window)
    return [*found, *(segmenter.finish("finish") if finish else ())]


def at(window: int, *, ends_sentence: bool, length: int = 4) -> WordGap:
    return WordGap(window * WINDOW, (window + length) * WINDOW, ends_sentence)


def test_a_settled_sentence_end_closes_the_segment_with_the_next_window() -> None:
    heard = windows((0.9, 150))
    first, second = closed(settled(heard, (120, at(100, ends_sentence=True))))
    assert (first.cause, first.at_words) == ("sentence", True)
    assert 97 * WINDOW <= first.end_sample <= 107 * WINDOW
    assert first.endpoint_sample == 121 * WINDOW
    assert second.first_sample == first.end_sample


def test_a_sentence_is_cut_in_the_quietest_window_of_its_gap() -> None:
    heard = windows((0.9, 102), (0.2, 3), (0.9, 100))
    first = closed(settled(heard, (120, at(100, ends_sentence=True, length=6))))[0]
    assert first.end_sample == 104 * WINDOW


def test_a_sentence_that_ends_too_soon_does_not_close_the_segment() -> None:
    heard = windows((0.9, 150))
    (only,) = closed(settled(heard, (60, at(30, ends_sentence=True))))
    assert only.cause == "finish"


def test_settled_words_alone_do_not_close_a_segment() -> None:
    (only,) = closed(settled(windows((0.9, 200)), (150, at(120, ends_sentence=False))))
    assert only.cause == "finish"


def test_a_forced_cut_comes_after_the_settled_words() -> None:
    limit = ms_to_samples(POLICY.max_segment_ms) // WINDOW
    first = closed(settled(windows((0.9, 600)), (limit - 10, at(350, ends_sentence=False))))[0]
    assert (first.cause, first.at_words) == ("length", True)
    assert 347 * WINDOW <= first.end_sample <= 357 * WINDOW


def test_words_that_settled_long_ago_do_not_decide_a_forced_cut() -> None:
    limit = ms_to_samples(POLICY.max_segment_ms) // WINDOW
    first = closed(settled(windows((0.9, 600)), (limit - 10, at(100, ends_sentence=False))))[0]
    assert (first.cause, first.at_words) == ("length", False)
    assert first.end_sample >= (limit - 130) * WINDOW


def test_a_gap_of_the_segment_before_is_forgotten() -> None:
    heard = windows((0.9, 100), (0.0, 30), (0.9, 300))
    found = closed(
        settled(heard, (99, at(98, ends_sentence=False)), (125, at(98, ends_sentence=True)))
    )
    assert [segment.cause for segment in found] == ["silence", "finish"]


def test_the_share_of_music_is_of_the_segments_own_windows() -> None:
    (ended,) = closed(boundaries(sung(windows((0.9, 80), (0.0, 30)), range(20, 200))))
    trail = ms_to_samples(POLICY.trail_ms) // WINDOW
    assert abs(ended.music_share - (60 + trail) / (80 + trail)) < 1e-6


def sung(heard: list[Window], *held: range) -> list[Window]:
    return [
        replace(window, is_music=any(index in part for part in held))
        for index, window in enumerate(heard)
    ]


def test_speech_that_follows_singing_without_a_pause_is_a_segment_of_its_own() -> None:
    release = ms_to_samples(POLICY.music_release_ms) // WINDOW
    heard = sung(windows((0.9, 300), (0.0, 30)), range(40, 200 + release))
    song, speech = closed(boundaries(heard, finish=False))
    assert (song.cause, speech.cause) == ("music", "silence")
    assert speech.first_sample == song.end_sample
    assert abs(song.end_sample - 200 * WINDOW) <= 2 * WINDOW
    assert song.music_share > 0.7
    assert speech.music_share == 0.0


@given(st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 200)), max_size=10))
def test_wherever_singing_is_held_what_sounds_like_speech_is_in_segments_that_touch(
    held: list[tuple[int, int]],
) -> None:
    ranges = [range(start, start + length) for start, length in held]
    segments = closed(boundaries(sung(windows((0.95, 1500)), *ranges)))
    ends = [segment.end_sample for segment in segments]
    assert [segment.first_sample for segment in segments] == [0, *ends[:-1]]
    assert 1500 * WINDOW - ends[-1] < POLICY.min_speech_windows * WINDOW


def test_a_short_sentence_during_which_the_hold_ends_is_no_singing() -> None:
    release = ms_to_samples(POLICY.music_release_ms) // WINDOW
    heard = sung(windows((0.0, 60), (0.9, release + 4), (0.0, 30)), range(60 + release - 1))
    (speech,) = closed(boundaries(heard, finish=False))
    assert speech.music_share < 0.1


script = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.95]), st.integers(1, 150)), max_size=30
)


@given(script)
def test_segments_are_in_order_bounded_and_never_overlap(runs: list[tuple[float, int]]) -> None:
    heard = windows(*runs)
    found = boundaries(heard)
    previous_end = 0
    longest = ms_to_samples(POLICY.max_segment_ms) + WINDOW
    assert [type(boundary) for boundary in found[::2]] == [SegmentOpened] * (len(found) // 2)
    for opened, ended in zip(found[::2], found[1::2], strict=True):
        assert isinstance(ended, SegmentClosed)
        assert previous_end <= opened.first_sample == ended.first_sample < ended.end_sample
        assert ended.speech_end_sample <= ended.end_sample <= ended.endpoint_sample
        assert ended.end_sample - ended.first_sample <= longest
        previous_end = ended.end_sample


@given(script)
def test_the_restart_sample_never_goes_back_nor_past_an_open_segment(
    runs: list[tuple[float, int]],
) -> None:
    segmenter = Segmenter(POLICY)
    previous = 0
    for window in windows(*runs):
        for boundary in segmenter.accept(window):
            if isinstance(boundary, SegmentOpened):
                assert previous <= boundary.first_sample
                assert segmenter.restart_sample <= boundary.first_sample
        assert segmenter.restart_sample >= previous
        previous = segmenter.restart_sample


@given(script, st.integers(0, 2000))
def test_a_stream_reopened_at_the_restart_sample_finds_the_same_next_segment(
    runs: list[tuple[float, int]], broken_at: int
) -> None:
    heard = windows(*runs)
    broken = Segmenter(POLICY)
    before = [b for window in heard[:broken_at] for b in broken.accept(window)]
    settled_count = len(closed(before))
    restart_sample = broken.restart_sample
    reopened = [window for window in heard if window.first_sample >= restart_sample]
    expected = [(segment.speech_end_sample, segment.cause) for segment in closed(boundaries(heard))]
    found = [(segment.speech_end_sample, segment.cause) for segment in closed(boundaries(reopened))]
    assert found[:1] == expected[settled_count : settled_count + 1]


told = st.lists(
    st.tuples(st.integers(0, 1500), st.integers(0, 400), st.integers(0, 100), st.booleans()),
    max_size=30,
)


@given(script, told)
def test_whatever_words_settle_no_speech_is_lost_or_heard_twice(
    runs: list[tuple[float, int]], told: list[tuple[int, int, int, bool]]
) -> None:
    heard = windows(*runs)
    segmenter = Segmenter(POLICY)
    found: list[Boundary] = []
    previous = 0
    for number, window in enumerate(heard):
        for due, back, length, ends_sentence in told:
            if due == number:
                segmenter.settle(at(number - back, ends_sentence=ends_sentence, length=length))
        for boundary in segmenter.accept(window):
            found.append(boundary)
            # What a stream that is opened again would be sent covers what is still to come.
            if isinstance(boundary, SegmentClosed):
                assert segmenter.restart_sample <= boundary.end_sample
            else:
                assert segmenter.restart_sample <= boundary.first_sample
        assert segmenter.restart_sample >= previous
        previous = segmenter.restart_sample
    found += segmenter.finish("finish")
    segments = closed(found)
    ends = [0, *(segment.end_sample for segment in segments)]
    for end, segment in zip(ends, segments, strict=False):
        assert end <= segment.first_sample < segment.end_sample
        assert segment.speech_first_sample <= segment.speech_end_sample <= segment.end_sample
        assert segment.end_sample <= segment.endpoint_sample


@given(told)
def test_wherever_words_settle_speech_without_pauses_is_in_segments_that_touch(
    told: list[tuple[int, int, int, bool]],
) -> None:
    heard = windows((0.95, 1500))
    gaps = [
        (due, at(due - back, ends_sentence=ends_sentence, length=length))
        for due, back, length, ends_sentence in told
    ]
    segments = closed(settled(heard, *gaps))
    assert segments[0].first_sample == 0
    ends = [segment.end_sample for segment in segments]
    assert [segment.first_sample for segment in segments[1:]] == ends[:-1]
    # Less than what counts as speech can be left over.
    assert heard[-1].end_sample - ends[-1] < POLICY.min_speech_windows * WINDOW
