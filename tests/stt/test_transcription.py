"""Whole streams against a real process: flite speaks, pocketsphinx hears."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from itertools import pairwise

import psutil
import pytest

from tests.processes import ServiceProcess
from tests.speech import music, silence, spoken, white_noise, with_pauses
from tests.stt.conftest import engine_children
from tests.stt.stream import Heard, audio, config, requests, transcribe

RIVER = "The people went down to the river to find water."
BREAD = "He gave them bread and fish to eat."
NEWS = "We will read the good news in the morning."


def share_of_words(expected: str, heard: str) -> float:
    words = expected.lower().strip(".").split()
    return sum(word in heard.split() for word in words) / len(words)


async def test_speech_gives_one_final_a_sentence_with_most_words_right(
    shared_stt: ServiceProcess,
) -> None:
    pcm = with_pauses(spoken(RIVER), spoken(BREAD), spoken(NEWS))
    heard = await transcribe(shared_stt.address, requests(pcm))
    assert heard.kinds == [f"{kind} {n}" for n in (1, 2, 3) for kind in ("started", "final")]
    for sentence, final in zip((RIVER, BREAD, NEWS), heard.finals, strict=True):
        assert share_of_words(sentence, final.stable_text.lower()) >= 0.5
        assert final.stable_text[0].isupper()
        assert not final.unstable_text
        assert final.language == "en"
        assert final.model == "pocketsphinx/en-us"
        assert final.avg_logprob <= 0
        assert 0 <= final.no_speech_prob <= 0.6
        assert 0 < final.compression_ratio <= 2.4
        assert final.start_offset_ms < final.end_offset_ms < final.endpoint_offset_ms
        assert final.engine_ms > final.engine_queue_ms >= 0
        assert [word.text for word in final.words] == final.stable_text.split()
        assert all(0 < word.probability < 1 for word in final.words)
        offsets_ms = [(word.start_offset_ms, word.end_offset_ms) for word in final.words]
        assert offsets_ms == sorted(offsets_ms)
        assert offsets_ms[0][0] >= final.start_offset_ms
        assert offsets_ms[-1][1] <= final.end_offset_ms


@pytest.mark.parametrize(
    "pcm",
    [silence(10), white_noise(10), white_noise(10, 0.3), music(10)],
    ids=["silence", "noise", "loud noise", "music"],
)
async def test_what_is_not_speech_gives_no_caption(shared_stt: ServiceProcess, pcm: object) -> None:
    heard = await transcribe(shared_stt.address, requests(pcm, partial_results=True))
    assert not heard.transcripts


async def test_settled_sample_never_goes_back_moves_in_silence_and_ends_at_the_end(
    shared_stt: ServiceProcess,
) -> None:
    pcm = with_pauses(silence(5), spoken(BREAD), silence(5))
    heard = await transcribe(shared_stt.address, requests(pcm))
    settled = heard.settled_samples
    assert settled == sorted(settled)
    assert settled[-1] == len(pcm)
    speech_starts_at = heard.finals[0].start_offset_ms * 16
    in_silence = [sample for sample in settled if sample <= speech_starts_at]
    assert len(in_silence) >= 5
    assert max(in_silence) > speech_starts_at - 16_000
    final_at = heard.kinds.index("final 1")
    told = [response for response in heard.responses if response.WhichOneof("event")]
    assert told[0].settled_sample <= speech_starts_at
    assert told[final_at].settled_sample > speech_starts_at


async def test_a_stream_reopened_at_the_settled_sample_goes_on_with_the_same_finals(
    shared_stt: ServiceProcess,
) -> None:
    pcm = with_pauses(spoken(RIVER), spoken(BREAD))
    whole = await transcribe(shared_stt.address, requests(pcm))
    first = next(r for r in whole.responses if r.transcript.is_final)
    at = first.settled_sample
    rest = await transcribe(
        shared_stt.address, requests(pcm[at:], first_sample=at, first_segment_id=2)
    )
    (again,) = rest.finals
    (_, expected) = whole.finals
    # A fresh voice activity model may place the end a window apart.
    assert (again.segment_id, again.stable_text) == (2, expected.stable_text)
    assert abs(again.start_offset_ms - expected.start_offset_ms) <= 64
    assert abs(again.end_offset_ms - expected.end_offset_ms) <= 64


def described(final: object) -> tuple[object, ...]:
    return (
        final.segment_id,
        final.stable_text,
        final.start_offset_ms,
        final.end_offset_ms,
        final.endpoint_offset_ms,
    )


async def test_finals_are_the_same_at_any_speed_and_chunk_size(shared_stt: ServiceProcess) -> None:
    pcm = with_pauses(spoken(BREAD), spoken(RIVER), pause_s=0.8)
    at_once, real_time = await asyncio.gather(
        transcribe(shared_stt.address, requests(pcm, chunk_ms=2000)),
        transcribe(shared_stt.address, requests(pcm, partial_results=True), speed=1),
    )
    assert len(at_once.finals) == 2
    assert [described(f) for f in at_once.finals] == [described(f) for f in real_time.finals]


async def test_partials_grow_and_come_before_their_final(shared_stt: ServiceProcess) -> None:
    pcm = with_pauses(spoken(RIVER))
    heard = await transcribe(shared_stt.address, requests(pcm, partial_results=True), speed=1)
    assert heard.partials
    assert heard.kinds[0] == "started 1"
    assert heard.kinds[-1] == "final 1"
    revisions = [transcript.revision for transcript in heard.transcripts]
    assert revisions == sorted(set(revisions))
    stable = [partial.stable_text.split() for partial in heard.partials]
    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(stable))
    assert share_of_words(RIVER, partial_text(heard).lower()) >= 0.3


def partial_text(heard: Heard) -> str:
    last = heard.partials[-1]
    return f"{last.stable_text} {last.unstable_text}"


async def test_without_partial_results_there_are_none(shared_stt: ServiceProcess) -> None:
    heard = await transcribe(shared_stt.address, requests(with_pauses(spoken(BREAD))), speed=4)
    assert heard.finals
    assert not heard.partials


async def test_half_close_in_the_middle_of_speech_sends_the_final(
    shared_stt: ServiceProcess,
) -> None:
    heard = await transcribe(shared_stt.address, requests(spoken(BREAD)[:-2999]))
    assert heard.kinds == ["started 1", "final 1"]
    assert share_of_words(BREAD, heard.text) >= 0.5


async def test_an_empty_stream_ends_well(shared_stt: ServiceProcess) -> None:
    assert (await transcribe(shared_stt.address, [])).responses == []
    assert (await transcribe(shared_stt.address, [config()])).responses == []


async def test_segment_numbers_go_on_from_the_first_asked_for(shared_stt: ServiceProcess) -> None:
    heard = await transcribe(
        shared_stt.address, requests(with_pauses(spoken(BREAD)), first_segment_id=41)
    )
    assert heard.kinds == ["started 41", "final 41"]


async def test_offsets_count_from_the_session_and_not_from_the_stream(
    shared_stt: ServiceProcess,
) -> None:
    pcm = with_pauses(spoken(BREAD))
    hour_samples = 3600 * 16_000
    heard, later = await asyncio.gather(
        transcribe(shared_stt.address, requests(pcm)),
        transcribe(shared_stt.address, requests(pcm, first_sample=hour_samples)),
    )
    assert later.finals[0].start_offset_ms == heard.finals[0].start_offset_ms + 3_600_000
    assert later.finals[0].stable_text == heard.finals[0].stable_text
    assert later.settled_samples[0] >= hour_samples


async def test_a_gap_closes_the_segment_and_stays_in_the_offsets(
    shared_stt: ServiceProcess,
) -> None:
    before, after = spoken(RIVER), spoken(BREAD)
    gap_samples = 10 * 16_000
    jump = len(before) + gap_samples
    sent = [*requests(before), *requests(after, first_sample=jump)[1:]]
    heard = await transcribe(shared_stt.address, sent)
    assert heard.kinds == ["started 1", "final 1", "started 2", "final 2"]
    first, second = heard.finals
    assert first.end_offset_ms <= len(before) // 16
    assert second.start_offset_ms >= jump // 16
    assert share_of_words(RIVER, first.stable_text.lower()) >= 0.5
    assert share_of_words(BREAD, second.stable_text.lower()) >= 0.5
    assert heard.settled_samples[-1] == jump + len(after)


async def test_speech_without_pauses_is_cut_before_it_is_too_long(
    start_stt: Callable[..., ServiceProcess],
) -> None:
    process = start_stt(max_segment_ms=4000, live_decoders=0)
    await process.wait_ready()
    text = " and ".join(sentence.strip(".") for sentence in (RIVER, BREAD, NEWS))
    heard = await transcribe(process.address, requests(with_pauses(spoken(text))))
    assert len(heard.finals) >= 2
    assert all(final.end_offset_ms - final.start_offset_ms <= 4040 for final in heard.finals)
    assert share_of_words(text, heard.text) >= 0.5


async def test_two_streams_at_once_do_not_mix(shared_stt: ServiceProcess) -> None:
    first_pcm = with_pauses(spoken(RIVER), spoken(NEWS))
    second_pcm = with_pauses(spoken(BREAD), spoken(BREAD))
    first_alone = await transcribe(shared_stt.address, requests(first_pcm))
    second_alone = await transcribe(shared_stt.address, requests(second_pcm))
    first, second = await asyncio.gather(
        transcribe(shared_stt.address, requests(first_pcm, partial_results=True)),
        transcribe(shared_stt.address, requests(second_pcm, partial_results=True)),
    )
    assert [described(f) for f in first.finals] == [described(f) for f in first_alone.finals]
    assert [described(f) for f in second.finals] == [described(f) for f in second_alone.finals]


async def test_a_suppressed_number_is_used_again(start_stt: Callable[..., ServiceProcess]) -> None:
    # A threshold this low takes noise for speech: the filters are what is left.
    process = start_stt(speech_threshold=0.0005, live_decoders=0, max_segment_ms=4000)
    await process.wait_ready()
    heard = await transcribe(process.address, requests(white_noise(4.5)))
    assert "suppressed 1" in heard.kinds
    assert set(heard.kinds) == {"started 1", "suppressed 1"}
    suppressed = [
        response.segment_suppressed
        for response in heard.responses
        if response.WhichOneof("event") == "segment_suppressed"
    ]
    assert all(one.reason in ("no_words", "no_speech", "low_confidence") for one in suppressed)
    assert heard.settled_samples[-1] == int(4.5 * 16_000)


async def test_finals_do_not_wait_for_stuck_partials(shared_stt: ServiceProcess) -> None:
    live = engine_children(shared_stt.pid)["live"]
    live.send_signal(signal.SIGSTOP)
    try:
        pcm = with_pauses(spoken(BREAD))
        heard = await transcribe(shared_stt.address, requests(pcm, partial_results=True))
    finally:
        live.send_signal(signal.SIGCONT)
    assert heard.kinds == ["started 1", "final 1"]


async def test_memory_does_not_grow_with_the_stream(shared_stt: ServiceProcess) -> None:
    resident = psutil.Process(shared_stt.pid).memory_info
    chunk = bytes(64 * 1024)
    minute = 60 * 16_000

    def minutes(first: int, count: int) -> list[object]:
        return [audio(at, chunk) for at in range(first, first + count * minute, 32 * 1024)]

    await transcribe(shared_stt.address, [config(), *minutes(0, 1)])
    before_bytes = resident().rss
    heard = await transcribe(shared_stt.address, [config(), *minutes(0, 4)])
    # Four minutes are 8 MB of samples as they come and 15 MB as the models see them.
    assert resident().rss - before_bytes < 4_000_000
    assert len(heard.responses) >= 100
