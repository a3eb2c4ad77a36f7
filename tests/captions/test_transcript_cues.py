"""What finals become as subtitles: short lines, readable times, every word in its place."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.captions.transcripts.columns import columns
from services.captions.transcripts.cues import Cue, cues
from services.captions.transcripts.export import ExportRequest, exported
from services.captions.transcripts.limits import reading_limits
from services.captions.transcripts.transcript import Segment, Text, Transcript, Word
from services.captions.transcripts.vtt import line_text
from tests.captions.subtitle_files import read_subtitles, squeezed, words_of

HOSTILE = (
    "-->",
    "00:00:01.000 --> 00:00:02.000",
    "1\n00:00:01,000 --> 00:00:02,000\n",
    "<b>bold</b>",
    "<00:00:01.000>",
    "<v Moses>",
    "</",
    "&amp; &lt; & &nbsp;",
    "{\\an8}",
    "{y:i}",
    "a\\Nb",
    "\n\n",
    "\r\n\r\n",
    "\x00\x1b[31m\x7f\x85",
    "\ufeff",
    "\u2028\u2029",
    "WEBVTT",
    "NOTE",
    "STYLE",
    "42",
    "👨‍👩‍👧‍👦👍🏽🇪🇸",
    "שלום עולם",
    "السلام عليكم",
    "\u202eevil\u202c",
    "神爱世人,甚至将他的独生子赐给他们。",
    "ขอพระคุณอยู่กับท่าน",
    "क्षत्रिय",
    "e\u0301\u0302" * 30,
    "a" * 100,
)
TEXTS = st.lists(
    st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60), st.just("and the word")),
    min_size=1,
    max_size=12,
).map(" ".join)
OFFSETS = st.integers(0, 60_000)


@st.composite
def finals(draw: st.DrawFn, languages: tuple[str, ...] = ("en",)) -> list[Segment]:
    """Finals in the order of speech; they may overlap and may have no length."""
    made = []
    for number in range(draw(st.integers(1, 5))):
        start_ms, length_ms = draw(OFFSETS), draw(OFFSETS)
        texts = {language: Text(draw(TEXTS)) for language in languages}
        made.append(Segment(number, start_ms, start_ms + length_ms, texts))
    return sorted(made, key=lambda each: (each.start_offset_ms, each.segment_id))


def transcript_of(segments: list[Segment]) -> Transcript:
    began = datetime(2026, 11, 15, 12, tzinfo=UTC)
    return Transcript("sunday", "A sermon", began, "en", ("es",), False, tuple(segments))


def segment(text: str, start_ms: int = 0, end_ms: int = 5000, language: str = "en") -> Segment:
    return Segment(1, start_ms, end_ms, {language: Text(text)})


def lines_of(cue: Cue) -> list[str]:
    return [line_text(line) for line in cue.lines]


def shown(text: str) -> str:
    """What a reader can see of a text, without its blanks."""
    kept = (each for each in text if unicodedata.category(each) != "Cc" and each != "\ufeff")
    return squeezed("".join(kept))


def everything(segments: list[Segment], language: str) -> str:
    """All that is shown of finals; one of which nothing can be seen has no cue."""
    texts = (shown(each.texts[language].text) for each in segments)
    return "".join(text for text in texts if columns(text))


@settings(max_examples=150, deadline=None)
@given(finals())
def test_cues_keep_every_limit_whatever_was_said(segments: list[Segment]) -> None:
    ended_ms = 0
    for cue in cues(segments, ("en",)):
        assert cue.start_ms >= ended_ms
        assert 1000 <= cue.end_ms - cue.start_ms <= 7000
        lines = lines_of(cue)
        assert 1 <= len(lines) <= 2
        assert all(0 < columns(line) <= 42 for line in lines) or len(lines) == 1
        ended_ms = cue.end_ms


@settings(max_examples=150, deadline=None)
@given(finals())
@pytest.mark.parametrize("ending", ["vtt", "srt"])
def test_a_player_reads_every_word_in_order(ending: str, segments: list[Segment]) -> None:
    text = exported(transcript_of(segments), ExportRequest(ending, "en")).text
    expected = everything(segments, "en")
    if ending == "srt":  # it has no way to write a brace
        expected = expected.translate(str.maketrans("{}", "()"))
    read = read_subtitles(text, ending)
    assert words_of(read) == expected
    made = cues(segments, ("en",))
    assert [(each.start_ms, each.end_ms) for each in read] == [
        (each.start_ms, each.end_ms) for each in made
    ]


@settings(max_examples=60, deadline=None)
@given(finals(("en", "es")))
def test_two_languages_stand_in_two_lines_and_lose_nothing(segments: list[Segment]) -> None:
    made = cues(segments, ("es", "en"))
    assert all(len(each.lines) <= 2 for each in made)
    text = "".join("".join(lines_of(each)) for each in made)
    both = [everything(segments, language) for language in ("es", "en")]
    assert sorted(squeezed(text)) == sorted("".join(both))
    assert all(columns(line) <= 42 for each in made for line in lines_of(each))


def test_ten_thousand_characters_become_cues() -> None:
    for text in ("blessed are the meek " * 500, "x" * 10_000, "神爱世人" * 2500):
        segments = [segment(text, 0, 600_000)]
        made = cues(segments, ("en",))
        assert squeezed("".join("".join(lines_of(each)) for each in made)) == squeezed(text)
        assert all(columns(line) <= 42 for each in made for line in lines_of(each))


def test_lines_break_where_the_sense_does() -> None:
    said = (
        "And the Lord said unto Moses, go down to the people and tell them that the day of the "
        "harvest is near."
    )
    (first, *_) = cues([segment(said, 0, 7000)], ("en",))
    assert lines_of(first)[0].endswith("Moses,")
    for cue in cues([segment(said, 0, 7000)], ("en",)):
        for line in lines_of(cue):
            assert line.split()[-1] not in ("the", "of", "a", "to", "and", "unto")


def test_an_article_goes_with_its_noun() -> None:
    said = "God created the heaven and the earth and the earth was without form"
    (cue,) = cues([segment(said)], ("en",))
    assert lines_of(cue) == [
        "God created the heaven and the earth",  # better balanced: "... heaven and the / earth ..."
        "and the earth was without form",
    ]


def test_no_line_begins_with_a_closing_bracket() -> None:
    (cue,) = cues([segment("「" + "あ" * 11 + "」" + "い" * 12, language="ja")], ("ja",))
    assert lines_of(cue) == ["「" + "あ" * 11 + "」", "い" * 12]


def test_wide_lines_are_filled_to_their_limit_and_no_further() -> None:
    made = cues([segment("あ" * 400, 0, 60_000, "ja")], ("ja",))
    assert {len(line) for each in made for line in lines_of(each)} <= set(range(10, 14))


def test_two_languages_come_when_the_words_of_the_one_spoken_were_heard() -> None:
    english = "Go down to the people, and tell them what I have told you."
    times_ms = [0, 100, 200, 300, 400, *(4000 + 100 * n for n in range(8))]
    words = tuple(
        Word(word, start_ms, start_ms + 90)
        for word, start_ms in zip(english.split(), times_ms, strict=True)
    )
    spanish = Text("Desciende al pueblo, y diles lo que yo te he dicho.")
    spoken = Segment(1, 0, 4800, {"en": Text(english, words=words), "es": spanish})
    first, second = cues([spoken], ("es", "en"))
    assert lines_of(first) == ["Desciende al pueblo,", "Go down to the people,"]
    assert (first.start_ms, second.start_ms) == (0, 4000)


@pytest.mark.parametrize(
    ("language", "text", "most"),
    [
        ("zh", "神爱世人,甚至将他的独生子赐给他们,叫一切信他的,不致灭亡,反得永生。" * 3, 16),
        ("ja", "神は、そのひとり子を賜わったほどに、この世を愛して下さった。" * 3, 13),
        ("ko", "하나님이 세상을 이처럼 사랑하사 독생자를 주셨으니 이는 그를 믿는 자마다", 16),
    ],
)
def test_wide_characters_have_shorter_lines(language: str, text: str, most: int) -> None:
    made = cues([segment(text, 0, 30_000, language)], (language,))
    lines = [line for each in made for line in lines_of(each)]
    for line in lines:
        wide = sum(unicodedata.east_asian_width(each) in "WF" for each in line)
        assert 2 * wide + len(line) - wide <= 2 * most
        assert not line.startswith(("、", "。", ",", "."))
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_what_was_said_fast_stays_until_it_is_read_if_there_is_time() -> None:
    said = "The quick brown fox jumps over the lazy dog"  # 43 characters: 2.15 s at 20 a second
    alone, followed = segment(said, 0, 1200), segment("Amen.", 1500, 2500)
    assert [each.end_ms for each in cues([alone], ("en",))] == [2150]
    assert [each.end_ms for each in cues([alone, followed], ("en",))] == [1500, 2500]
    assert reading_limits("es-MX").columns_per_s == 17


def test_what_comes_too_fast_waits_and_catches_up_in_the_next_pause() -> None:
    spoken = [segment(f"Yes {number}.", 400 * number, 400 * number + 300) for number in range(4)]
    later = segment("Now we go on.", 10_000, 12_000)
    made = cues([*spoken, later], ("en",))
    assert [each.start_ms for each in made] == [0, 1000, 2000, 3000, 10_000]


def test_the_times_of_words_are_those_that_were_heard() -> None:
    words = (Word("Grace", 1000, 1400), Word("and", 1500, 1600), Word("peace.", 3000, 3500))
    heard = Segment(1, 1000, 3500, {"en": Text("Grace and peace.", words=words)})
    text = exported(transcript_of([heard]), ExportRequest("vtt", with_words=True)).text
    assert text.split("\n")[3:] == [
        "00:00:01.000 --> 00:00:03.500",
        "Grace <00:00:01.500>and <00:00:03.000>peace.",
        "",
    ]
    assert [each.lines for each in read_subtitles(text, "vtt")] == [("Grace and peace.",)]


@settings(max_examples=60, deadline=None)
@given(finals(), st.data())
def test_word_timestamps_go_up_within_their_cue(
    segments: list[Segment], data: st.DataObject
) -> None:
    timed = []
    for each in segments:
        text = each.texts["en"].text
        times = sorted(data.draw(st.lists(OFFSETS, min_size=2, max_size=2)))
        words = tuple(Word(word, *times) for word in text.split())
        timed.append(
            Segment(
                each.segment_id,
                each.start_offset_ms,
                each.end_offset_ms,
                {"en": Text(text, words=words)},
            )
        )
    text = exported(transcript_of(timed), ExportRequest("vtt", with_words=True)).text
    assert words_of(read_subtitles(text, "vtt")) == everything(segments, "en")


@pytest.mark.parametrize(
    ("offset_ms", "starts_ms"), [(90_000, [90_000, 93_500, 95_000]), (-4000, [0, 1000])]
)
def test_an_offset_moves_cues_and_drops_those_before_the_video(
    offset_ms: int, starts_ms: list[int]
) -> None:
    spoken = [
        segment("Before.", 0, 1000),
        segment("At the start.", 3500, 4500),
        segment("After it.", 5000, 6000),
    ]
    request = ExportRequest("srt", "en", offset_ms=offset_ms)
    read = read_subtitles(exported(transcript_of(spoken), request).text, "srt")
    assert [each.start_ms for each in read] == starts_ms
    assert read[-1].lines == ("After it.",)
