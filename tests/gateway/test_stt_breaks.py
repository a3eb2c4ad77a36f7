"""When audio counts as what breaks stt, and when stt is at fault."""

from __future__ import annotations

import pytest

from services.gateway.stt_breaks import SttBreaks

SETTLED, SENT = 16_000, 48_000


def breaks_until_skip(
    breaks: SttBreaks, settled_sample: int, sent_sample: int, *, limit: int = 1_000
) -> tuple[int, int]:
    """(streams that broke until audio is skipped, the sample that is skipped to)."""
    for count in range(1, limit + 1):
        skip_to = breaks.note(settled_sample, sent_sample, "ENGINE_FAILED", answered=True)
        if skip_to > settled_sample:
            return count, skip_to
    raise AssertionError("nothing was skipped")


def test_audio_that_breaks_stt_six_times_is_skipped() -> None:
    assert breaks_until_skip(SttBreaks(), SETTLED, SENT) == (6, SENT)


def test_at_most_five_seconds_are_skipped_at_once() -> None:
    assert breaks_until_skip(SttBreaks(), SETTLED, 10_000_000)[1] == SETTLED + 80_000


def test_an_stt_that_is_away_is_waited_for_however_long() -> None:
    breaks = SttBreaks()
    for _ in range(1_000):
        assert breaks.note(SETTLED, SENT, "UNAVAILABLE", answered=False) == SETTLED


@pytest.mark.parametrize("reason", ["SHUTTING_DOWN", "OUT_OF_MEMORY", "JOURNAL_FAILED"])
def test_breaks_for_other_reasons_say_nothing_of_the_audio(reason: str) -> None:
    breaks = SttBreaks()
    for _ in range(1_000):
        assert breaks.note(SETTLED, SENT, reason, answered=True) == SETTLED


def test_a_want_of_memory_explains_the_breaks_before_it() -> None:
    breaks = SttBreaks()
    for _ in range(5):
        breaks.note(SETTLED, SENT, "INTERNAL", answered=True)
    breaks.note(SETTLED, SENT, "OUT_OF_MEMORY", answered=True)
    assert breaks_until_skip(breaks, SETTLED, SENT)[0] == 6


def test_a_crash_is_counted_through_the_restarts_after_it() -> None:
    breaks = SttBreaks()
    for _ in range(5):
        breaks.note(SETTLED, SENT, "UNAVAILABLE", answered=True)
        breaks.note(SETTLED, SENT, "NOT_READY", answered=False)
    assert breaks_until_skip(breaks, SETTLED, SENT)[0] == 1


def test_progress_begins_the_count_again() -> None:
    breaks = SttBreaks()
    for _ in range(5):
        breaks.note(SETTLED, SENT, "ENGINE_FAILED", answered=True)
    assert breaks_until_skip(breaks, SETTLED + 1, SENT)[0] == 6


def test_an_stt_that_breaks_on_everything_is_not_fed_the_whole_sermon() -> None:
    """Each skip that helped nothing needs twice as many breaks as the one before, to a limit."""
    breaks, settled_sample, counts = SttBreaks(), SETTLED, []
    for _ in range(8):
        count, settled_sample = breaks_until_skip(breaks, settled_sample, 10_000_000)
        counts.append(count)
    assert counts == [6, 12, 24, 48, 96, 192, 192, 192]
