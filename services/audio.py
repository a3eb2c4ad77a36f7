"""The one audio format on the wire and the rules that every stream of it keeps.

Audio is mono signed 16-bit little-endian PCM at 16 kHz. The count of samples since the session
began is the only media clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.errors import InvalidInput

SAMPLE_RATE_HERTZ = 16_000
BYTES_PER_SAMPLE = 2
MAX_CHUNK_BYTES = 64 * 1024
MAX_GAP_S = 24 * 60 * 60  # no session lasts longer: a greater jump is a broken client
PCM_S16LE = 1  # glossa.types.v1.AUDIO_ENCODING_PCM_S16LE


def samples_to_ms(samples: int) -> int:
    """Offset in whole milliseconds of a sample index."""
    return samples * 1000 // SAMPLE_RATE_HERTZ


def ms_to_samples(ms: int) -> int:
    """Index of the sample at an offset in milliseconds."""
    return ms * SAMPLE_RATE_HERTZ // 1000


def check_format(encoding: int, sample_rate_hertz: int, channel_count: int) -> None:
    """Raises InvalidInput unless the format is the one that Glossa speaks."""
    if encoding != PCM_S16LE:
        raise InvalidInput(
            "UNSUPPORTED_ENCODING",
            "audio must be AUDIO_ENCODING_PCM_S16LE; decode it before sending",
            encoding=encoding,
        )
    if sample_rate_hertz != SAMPLE_RATE_HERTZ:
        raise InvalidInput(
            "UNSUPPORTED_SAMPLE_RATE",
            f"audio must have {SAMPLE_RATE_HERTZ} samples a second, not {sample_rate_hertz}; "
            "resample it before sending",
            sample_rate_hertz=sample_rate_hertz,
        )
    if channel_count != 1:
        raise InvalidInput(
            "UNSUPPORTED_CHANNEL_COUNT",
            f"audio must have one channel, not {channel_count}; mix it down before sending",
            channel_count=channel_count,
        )


@dataclass(frozen=True)
class Gap:
    """Samples [first_sample, next_sample) that never came."""

    first_sample: int
    next_sample: int


class SampleClock:
    """Follows the sample count of one stream and refuses chunks that break its rules."""

    def __init__(self, next_sample: int | None = 0) -> None:
        """`next_sample` None: the first chunk says where the stream begins."""
        self._next_sample = next_sample

    @property
    def next_sample(self) -> int:
        """The first sample that has not come yet."""
        return self._next_sample or 0

    def accept(self, first_sample: int, data: bytes) -> Gap | None:
        """Counts a chunk in.

        Returns:
            The gap before the chunk, if samples are missing.

        Raises:
            InvalidInput: EMPTY_CHUNK, ODD_BYTE_COUNT, CHUNK_TOO_LARGE, SAMPLES_BACKWARDS or
                GAP_TOO_LARGE; the clock has not moved then.
        """
        size_bytes = len(data)
        if size_bytes == 0:
            raise InvalidInput("EMPTY_CHUNK", "an audio chunk holds no samples; send none instead")
        if size_bytes > MAX_CHUNK_BYTES:
            raise InvalidInput(
                "CHUNK_TOO_LARGE",
                f"an audio chunk has {size_bytes} bytes, the limit is {MAX_CHUNK_BYTES}; "
                "send smaller chunks (3200 bytes are 100 ms)",
                size_bytes=size_bytes,
                limit_bytes=MAX_CHUNK_BYTES,
            )
        if size_bytes % BYTES_PER_SAMPLE:
            raise InvalidInput(
                "ODD_BYTE_COUNT",
                f"an audio chunk has {size_bytes} bytes: not a whole number of 16-bit samples",
                size_bytes=size_bytes,
            )
        expected = first_sample if self._next_sample is None else self._next_sample
        if first_sample < expected or first_sample < 0:
            raise InvalidInput(
                "SAMPLES_BACKWARDS",
                f"a chunk begins at sample {first_sample}, expected {expected} or later; "
                "send each sample once, from next_sample after a resume",
                first_sample=first_sample,
                expected_sample=expected,
            )
        if first_sample - expected > MAX_GAP_S * SAMPLE_RATE_HERTZ:
            raise InvalidInput(
                "GAP_TOO_LARGE",
                f"a chunk begins at sample {first_sample}, more than {MAX_GAP_S // 3600} hours "
                f"after the one expected, {expected}; samples are counted from the session's first",
                first_sample=first_sample,
                expected_sample=expected,
            )
        self._next_sample = first_sample + size_bytes // BYTES_PER_SAMPLE
        return Gap(expected, first_sample) if first_sample > expected else None
