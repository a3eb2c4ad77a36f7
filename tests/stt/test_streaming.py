"""Partials, segment ends and context of a stream, on an engine that hears its script."""

from __future__ import annotations

import random
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from services.stt import session
from services.stt.corrections import Corrections
from services.stt.engine import Decoding, HypothesisWord, Samples
from services.stt.policy import SegmentationPolicy
from services.stt.segment import RecentAudio
from services.stt.session import MAX_PHRASES, USUAL_PHRASES, expected_phrases
from services.stt.tiers import Tiers
from tests.speech import Pcm
from tests.stt.scripted import (
    Manner,
    Script,
    finals,
    partials,
    said,
    scripted,
    settings,
    silence_ms,
    suppressed,
    transcribe,
)

PSALM = "The Lord is my shepherd and I shall not want at all."


def distinct_words(count: int, seed: int = 0) -> list[str]:
    """Words that hardly compress: what does is taken for a loop."""
    rng = random.Random(seed)
    return ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(count)]


LONG = " ".join(distinct_words(120))


async def heard_by(manner: Manner, pcm: Pcm, **options: object) -> list[object]:
    with scripted(final=manner):
        async with Tiers(settings()).loaded() as tiers:
            return await transcribe(tiers, pcm, **options)


def with_silence(*parts: Pcm) -> Pcm:
    pause = silence_ms(1200)
    return np.concatenate([pause, *(piece for part in parts for piece in (part, pause))])


async def test_an_engine_without_live_decoders_gives_partials_by_decoding_again() -> None:
    script = Script()
    events = await heard_by(Manner(script), with_silence(script.say(PSALM)))
    stable = [partial.stable_text.split() for partial in partials(events)]
    assert len(stable) >= 3
    assert any(stable)
    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(stable))
    assert all(PSALM.startswith(" ".join(words)) for words in stable)
    assert said(events) == PSALM


async def test_a_stream_that_asks_for_no_partials_costs_no_decodes_but_finals() -> None:
    script = Script()
    manner = Manner(script)
    events = await heard_by(manner, with_silence(script.say(PSALM)), partial_results=False)
    assert not partials(events)
    warm_ups = settings().final_workers
    assert len(manner.decodings) == warm_ups + 1


async def test_a_settled_sentence_end_closes_the_segment_before_any_pause() -> None:
    script = Script()
    first, second = "We are saved by grace alone today.", "And not by works of our own hands."
    events = await heard_by(Manner(script), with_silence(script.say(f"{first} {second}")))
    assert [final.text for final in finals(events)] == [first, second]
    first_final, second_final = finals(events)
    assert second_final.start_offset_ms <= second_final.words[0].start_offset_ms
    assert first_final.end_offset_ms <= second_final.start_offset_ms
    last_partial = partials(events, 1)[-1]
    assert (last_partial.stable_text, last_partial.unstable_text) == (first, "")
    assert all(first.startswith(p.stable_text) for p in partials(events, 1))


async def test_a_short_sentence_does_not_close_the_segment() -> None:
    script = Script()
    text = "Amen. Amen. We are saved by grace alone today."
    events = await heard_by(Manner(script), with_silence(script.say(text)))
    assert [final.text for final in finals(events)] == [text]


async def test_an_abbreviation_does_not_close_the_segment() -> None:
    script = Script()
    text = "We heard about all of this from Mr. Smith and Dr. King in v. 3 of it"
    events = await heard_by(Manner(script), with_silence(script.say(text)))
    assert [final.text for final in finals(events)] == [text]


@pytest.mark.parametrize("word_times", [True, False], ids=["timed words", "no word times"])
async def test_speech_without_end_is_cut_and_no_word_is_lost_or_said_twice(
    word_times: bool,
) -> None:
    script = Script()
    manner = Manner(script, word_times=word_times)
    events = await heard_by(manner, with_silence(script.say(LONG)))
    assert said(events) == LONG
    lengths_ms = [final.end_offset_ms - final.start_offset_ms for final in finals(events)]
    assert len(lengths_ms) >= 4
    assert max(lengths_ms) <= 13_100
    for earlier, later in pairwise(finals(events)):
        assert earlier.end_offset_ms <= later.start_offset_ms


async def test_a_forced_cut_ends_where_the_settled_words_end_and_shows_no_more() -> None:
    script = Script()
    events = await heard_by(Manner(script), with_silence(script.say(LONG)))
    for final in finals(events)[:-1]:
        last = partials(events, final.segment_id)[-1]
        assert last.unstable_text == ""
        assert final.text == last.stable_text


async def test_audio_is_let_go_though_speech_never_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    kept_samples = []

    class Watched(RecentAudio):
        def append(self, first_sample: int, window: Samples) -> None:
            super().append(first_sample, window)
            kept_samples.append(len(self.between(0, 10**9)))

    monkeypatch.setattr(session, "RecentAudio", Watched)
    script = Script()
    pcm = script.say(LONG)
    await heard_by(Manner(script), pcm, partial_results=False, speed=0)
    longest_s = SegmentationPolicy().max_segment_ms / 1000
    assert len(pcm) / 16_000 > 3 * longest_s
    assert max(kept_samples) / 16_000 < longest_s + 1


@pytest.mark.parametrize("seed", range(4))
async def test_everything_heard_is_in_finals_however_the_passes_waver(seed: int) -> None:
    rng = random.Random(seed)
    script = Script()
    words = distinct_words(rng.randint(20, 70), seed)
    text = " ".join(word + rng.choice(["", "", "", "", ",", "."]) for word in words)

    def waver(words: list[HypothesisWord], _: Decoding) -> list[HypothesisWord]:
        """The last words of a partial are often guesses."""
        is_partial = threading.current_thread().name.startswith("stt-live")
        if not is_partial or len(words) < 3 or rng.random() < 0.3:
            return words
        kept = words[: -rng.randint(1, 2)]
        return [*kept, HypothesisWord("uh.", kept[-1].end_ms, kept[-1].end_ms, 0.2)]

    parts = text.split()
    middle = rng.randrange(1, len(parts))
    pcm = with_silence(script.say(" ".join(parts[:middle])), script.say(" ".join(parts[middle:])))
    events = await heard_by(Manner(script, hear=waver), pcm, speed=rng.choice([0, 20, 40]))
    assert said(events) == text


async def test_the_last_words_are_not_lost_when_the_stream_ends_in_the_middle_of_one() -> None:
    script = Script()
    pcm = script.say("and he said to")
    events = await heard_by(Manner(script), pcm[: -1600 - 1024])
    assert said(events) == "and he said to"


async def test_a_final_is_told_of_what_was_said_before_until_a_pause() -> None:
    script = Script()
    manner = Manner(script)
    first, second, third = (
        script.say(text) for text in ("in the beginning", "God made it all", "and so we pray")
    )
    pcm = np.concatenate([first, silence_ms(900), second, silence_ms(4000), third, silence_ms(900)])
    await heard_by(manner, pcm, partial_results=False)
    assert [decoding.previous_text for _, decoding in manner.decodings[-3:]] == [
        "",
        "in the beginning",
        "",
    ]


async def test_context_does_not_carry_over_a_gap() -> None:
    script = Script()
    manner = Manner(script)
    first, second = script.say("in the beginning"), script.say("God made")
    runs = [(0, first), (len(first) + 8000, second)]
    with scripted(final=manner):
        async with Tiers(settings()).loaded() as tiers:
            events = await transcribe(tiers, runs, partial_results=False)
    assert said(events) == "in the beginning God made"
    assert [decoding.previous_text for _, decoding in manner.decodings[-2:]] == ["", ""]


async def test_a_doubtful_or_suppressed_segment_poisons_no_context() -> None:
    script = Script()
    doubts = {"murmur": -0.7, "mumble": -3.0}

    manner = Manner(script, uses_temperature=False)
    current: list[str] = []

    def hear(words: list[HypothesisWord], _: Decoding) -> list[HypothesisWord]:
        current[:] = [word.text for word in words]
        return words

    manner.hear = hear
    manner.avg_logprob = lambda _: min([-0.1, *(doubts.get(word, 0.0) for word in current)])
    texts = (
        "we begin here",
        "murmur murmur murmur",
        "we go on now",
        "mumble mumble",
        "we end here",
    )
    pcm = with_silence(*(script.say(text) for text in texts))
    events = await heard_by(manner, pcm, partial_results=False)
    assert [final.text for final in finals(events)] == [texts[0], texts[1], texts[2], texts[4]]
    assert finals(events)[1].flags == ("low_confidence",)
    assert [(one.reason, one.text) for one in suppressed(events)] == [("low_confidence", texts[3])]
    assert [decoding.previous_text for _, decoding in manner.decodings[-5:]] == [
        "",
        texts[0],
        "",
        texts[2],
        "",
    ]


async def test_phrases_come_before_the_terms_of_the_corrections(tmp_path: Path) -> None:
    script = Script()
    manner = Manner(script)
    pcm = with_silence(script.say("grace and peace"))
    await heard_by(manner, pcm, phrases=("Malachi",), corrections=corrections(tmp_path))
    assert manner.decodings[-1][1].phrases == ("Malachi", "Philippians", "Zechariah")


def test_the_terms_of_the_corrections_fill_what_few_phrases_leave(tmp_path: Path) -> None:
    rows = "".join(f"heard{n}\tTerm{n}\tname\tno\t\n" for n in range(100))
    path = tmp_path / "corrections_en.tsv"
    path.write_text(f"heard\tintended\tkind\tcontext_needed\tcontext\n{rows}")
    terms = Corrections.read(path)
    assert expected_phrases((), terms) == tuple(f"Term{n}" for n in range(USUAL_PHRASES))
    few = expected_phrases(("Malachi", "Term1", "Malachi"), terms)
    assert few[:3] == ("Malachi", "Term1", "Term0")
    assert len(few) == USUAL_PHRASES
    many = tuple(f"phrase {n}" for n in range(MAX_PHRASES))
    assert expected_phrases(many, terms) == many


def corrections(folder: Path) -> Corrections:
    path = folder / "corrections_en.tsv"
    path.write_text(
        "heard\tintended\tkind\tcontext_needed\tcontext\n"
        "Philippines\tPhilippians\tbook\tyes\tletter to the _\n"
        "zack a riah\tZechariah\tname\tno\t\n"
    )
    return Corrections.read(path)


async def test_misheard_terms_are_mended_in_partials_and_finals(tmp_path: Path) -> None:
    script = Script()
    pcm = with_silence(script.say("in the letter to the Philippines we read zack a riah again"))
    events = await heard_by(Manner(script), pcm, corrections=corrections(tmp_path))
    (final,) = finals(events)
    assert final.text == "in the letter to the Philippians we read Zechariah again"
    assert [word.text for word in final.words] == final.text.split()
    offsets_ms = [(word.start_offset_ms, word.end_offset_ms) for word in final.words]
    assert offsets_ms == sorted(offsets_ms)
    assert [(c.heard, c.intended, c.word_index) for c in final.corrections] == [
        ("Philippines", "Philippians", 5),
        ("zack a riah", "Zechariah", 8),
    ]
    stable = [partial.stable_text for partial in partials(events)]
    assert any("Philippians" in text for text in stable)
    assert all(later.startswith(earlier) for earlier, later in pairwise(stable))
    assert not any("zack" in text for text in stable)


class ScriptedMusic:
    """A detector that is told which windows are sung: those of the words from `first` to `last`."""

    def __init__(self, first: int, last: int) -> None:
        self._sung = range(first, last + 1)
        self._is_music = False

    def reset(self) -> None:
        self._is_music = False

    def accept(self, samples: Samples, speech_probability: float) -> bool:
        number = int(samples.max() * 32768)
        if number:
            self._is_music = number in self._sung
        return self._is_music


async def test_singing_rests_captions_and_speech_resumes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script()
    manner = Manner(script)
    spoken, sung, again = ("let us all stand", " ".join(distinct_words(12)), "you may be seated")
    pcm = with_silence(*(script.say(text) for text in (spoken, sung, again)))
    monkeypatch.setattr(session, "MusicDetector", lambda: ScriptedMusic(5, 16))
    events = await heard_by(manner, pcm)
    assert [final.text for final in finals(events)] == [spoken, again]
    assert [(one.reason, one.text) for one in suppressed(events)] == [("music", "")]
    shown = " ".join(f"{p.stable_text} {p.unstable_text}" for p in partials(events))
    assert not set(shown.split()) & set(sung.split())
    assert manner.decodings[-1][1].previous_text == ""


async def test_singing_is_captioned_where_captions_are_not_to_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script()
    chanted = " ".join(distinct_words(12))
    pcm = with_silence(script.say(chanted))
    monkeypatch.setattr(session, "MusicDetector", lambda: ScriptedMusic(1, 12))
    assert said(await heard_by(Manner(script), pcm)) == ""
    assert said(await heard_by(Manner(script), pcm, music_hold=False)) == chanted
