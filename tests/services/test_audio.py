"""The rules that every audio stream keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glossa.types.v1 import types_pb2
from services.audio import (
    MAX_CHUNK_BYTES,
    PCM_S16LE,
    SAMPLE_RATE_HERTZ,
    Gap,
    SampleClock,
    check_format,
    ms_to_samples,
    samples_to_ms,
)
from services.errors import InvalidInput


def test_the_encoding_has_the_number_that_the_protos_give_it() -> None:
    assert PCM_S16LE == types_pb2.AUDIO_ENCODING_PCM_S16LE


@given(st.integers(min_value=0, max_value=10**9))
def test_whole_milliseconds_survive_the_way_to_samples_and_back(ms: int) -> None:
    assert samples_to_ms(ms_to_samples(ms)) == ms


def test_the_one_format_is_taken() -> None:
    check_format(PCM_S16LE, SAMPLE_RATE_HERTZ, 1)


@pytest.mark.parametrize(
    ("encoding", "sample_rate_hertz", "channel_count", "reason"),
    [
        (0, 16_000, 1, "UNSUPPORTED_ENCODING"),
        (9, 16_000, 1, "UNSUPPORTED_ENCODING"),
        (PCM_S16LE, 44_100, 1, "UNSUPPORTED_SAMPLE_RATE"),
        (PCM_S16LE, 0, 1, "UNSUPPORTED_SAMPLE_RATE"),
        (PCM_S16LE, 16_000, 2, "UNSUPPORTED_CHANNEL_COUNT"),
        (PCM_S16LE, 16_000, 0, "UNSUPPORTED_CHANNEL_COUNT"),
    ],
)
def test_any_other_format_is_refused_with_its_reason(
    encoding: int, sample_rate_hertz: int, channel_count: int, reason: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_format(encoding, sample_rate_hertz, channel_count)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("first_sample", "data", "reason"),
    [
        (100, b"", "EMPTY_CHUNK"),
        (100, b"\0", "ODD_BYTE_COUNT"),
        (100, bytes(MAX_CHUNK_BYTES + 2), "CHUNK_TOO_LARGE"),
        (99, bytes(2), "SAMPLES_BACKWARDS"),
        (-1, bytes(2), "SAMPLES_BACKWARDS"),
    ],
)
def test_a_bad_chunk_is_refused_and_does_not_move_the_clock(
    first_sample: int, data: bytes, reason: str
) -> None:
    clock = SampleClock(100)
    with pytest.raises(InvalidInput) as refused:
        clock.accept(first_sample, data)
    assert refused.value.reason == reason
    assert clock.next_sample == 100


def test_a_chunk_of_the_greatest_size_is_taken() -> None:
    clock = SampleClock()
    assert clock.accept(0, bytes(MAX_CHUNK_BYTES)) is None
    assert clock.next_sample == MAX_CHUNK_BYTES // 2


def test_a_stream_may_begin_anywhere_when_its_first_chunk_decides() -> None:
    clock = SampleClock(None)
    assert clock.accept(48_000, bytes(4)) is None
    assert clock.next_sample == 48_002
    with pytest.raises(InvalidInput):
        SampleClock(None).accept(-1, bytes(2))


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(1, MAX_CHUNK_BYTES // 2)), max_size=20),
    st.integers(0, 10**6),
)
def test_chunks_and_gaps_together_cover_every_sample_once(
    pieces: list[tuple[int, int]], start: int
) -> None:
    clock, covered = SampleClock(start), start
    for missing, count in pieces:
        gap = clock.accept(covered + missing, bytes(2 * count))
        assert gap == (Gap(covered, covered + missing) if missing else None)
        covered += missing + count
        assert clock.next_sample == covered
