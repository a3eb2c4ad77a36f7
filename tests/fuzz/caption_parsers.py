"""What writes and reads captions and recordings, as functions of bytes."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from google.protobuf.message import DecodeError

from cli.decoding import Decoder
from cli.display_text import DisplayRules, DisplayText
from glossa.captions.v1 import captions_pb2
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ
from services.captions.transcripts.cues import cues
from services.captions.transcripts.srt import subrip
from services.captions.transcripts.transcript import Segment, Text, Word
from services.captions.transcripts.vtt import webvtt
from tests.captions.subtitle_files import read_subtitles
from tests.fuzz.parser import Parser, of_file
from tests.fuzz.seeds import flac

_TIMES = re.compile(r"\d\d+:[0-5]\d:[0-5]\d[.,]\d{3} --> \d\d+:[0-5]\d:[0-5]\d[.,]\d{3}")
_RECORDING_LIMIT_S = 5.0


def _subtitles(data: bytes) -> None:
    """A segment for each line, as every kind of file; each is read by FFmpeg, cue for cue."""
    segments = []
    for number, line in enumerate(data.decode("utf-8", errors="replace").split("\n")[:6]):
        words = tuple(
            Word(word, 1000 * number + 10 * index, 1000 * number + 10 * index + 5)
            for index, word in enumerate(line.split())
        )
        texts = {"en": Text(line, words=words), "ja": Text(line[::-1])}
        segments.append(Segment(number, 1000 * number, 1000 * number + len(line), texts))
    for languages in (("en",), ("ja",), ("en", "ja")):
        made = cues(segments, languages)
        for earlier, later in pairwise(made):
            assert earlier.start_ms < earlier.end_ms <= later.start_ms
        for text, ending in (
            (webvtt(made), "vtt"),
            (webvtt(made, with_words=True), "vtt"),
            (subrip(made), "srt"),
        ):
            lines = text.split("\n")
            assert sum("-->" in each for each in lines) == len(made)
            assert all(_TIMES.fullmatch(each) for each in lines if "-->" in each)
            assert len(read_subtitles(text, ending)) == len(made)


def _display_text(data: bytes) -> None:
    event = captions_pb2.SubscribeResponse.FromString(data)
    for rules in (DisplayRules("es"), DisplayRules("en", partials=True), DisplayRules("", "s")):
        display = DisplayText(rules)
        for now_s in (0.0, 1.0, 100.0):
            display.take(event, now_s)
            assert display.text(now_s).count("\n") <= rules.lines
            display.take_new_finals()
        display.lose_unstable()
        display.changes_at_s()


def _recording(path: Path) -> None:
    """What `cli.decoding` does in a process of its own, here within this one."""
    decoder = Decoder(str(path), _RECORDING_LIMIT_S, is_remote=False)
    size_bytes = sum(map(len, decoder.pcm()))
    assert size_bytes <= _RECORDING_LIMIT_S * SAMPLE_RATE_HERTZ * BYTES_PER_SAMPLE


def _wav(format_code: int, channels: int, bits: int) -> bytes:
    samples = bytes(range(64))
    size = channels * bits // 8
    header = b"".join(
        number.to_bytes(width, "little")
        for number, width in (
            *((16, 4), (format_code, 2), (channels, 2), (16_000, 4)),
            *((16_000 * size, 4), (size, 2), (bits, 2)),
        )
    )
    body = b"WAVEfmt " + header + b"data" + len(samples).to_bytes(4, "little") + samples
    return b"RIFF" + len(body).to_bytes(4, "little") + body


_CAPTION = captions_pb2.SubscribeResponse(
    session_id="s",
    journal_id="j",
    caption=captions_pb2.Caption(
        segment_id=1, language="es", stable_text="Amén.", is_final=True, revision=2
    ),
)

CAPTION_PARSERS = (
    Parser(
        "subtitles",
        _subtitles,
        seeds=(
            b"In the beginning was the Word, and the Word was with God.\nAmen.",
            b"a --> b <b>{\\an8}</b>\n00:00:01.000 --> 00:00:02.000\nNOTE x\n\n&lt; &amp;",
        ),
    ),
    Parser("display text", _display_text, (DecodeError,), seeds=(_CAPTION.SerializeToString(),)),
    Parser(
        "recording",
        of_file(_recording, "input.wav"),
        seeds=(_wav(1, 1, 16), _wav(3, 2, 32), _wav(0x11, 1, 4), flac()),
    ),
)
