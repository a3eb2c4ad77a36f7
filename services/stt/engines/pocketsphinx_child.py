"""The process in which pocketsphinx decodes: `python -m services.stt.engines.pocketsphinx_child`.

pocketsphinx holds the interpreter's lock while it decodes: a segment of ten seconds would stop the
service for two. This process has nothing else to do. It ends when its parent closes the pipe, also
by being killed.

Requests are tuples (see `_Final.answer` and `_Live.answer`), answered in order, one at a time.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any, Protocol

from pocketsphinx import Decoder

_FRAME_MS = 10
# Where the cores are few, partials give way to finals, and both to what carries them.
_NICENESS = {"final": 5, "live": 10}
_PRONUNCIATION = re.compile(r"\(\d+\)$")

# (word, start_ms, end_ms, posterior), as the decoder spells it.
RawWord = tuple[str, int, int, float]


class _Role(Protocol):
    def answer(self, request: tuple[Any, ...]) -> Any: ...


def is_filler(word: str) -> bool:
    """Whether it stands for silence or noise: <s>, <sil>, [NOISE], ++BREATH++."""
    return word.startswith(("<", "[", "++"))


def spelled(word: str) -> str:
    """The word without its pronunciation's number: "read(2)" is "read"."""
    return _PRONUNCIATION.sub("", word)


class _Final:
    """Decodes whole segments: the cepstral mean is taken over all of it, posteriors are true.

    Only ever called with full_utt: a chunked decode would switch the decoder to the live mean for
    good.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._decoder = Decoder(loglevel="FATAL", **options)

    def answer(self, request: tuple[Any, ...]) -> list[RawWord]:
        (pcm,) = request
        if not pcm:
            return []
        # The noise estimate would carry over, and a final would depend on the one before it.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(pcm, False, True)
        finally:  # a segment left open would be the last one that it takes
            self._decoder.end_utt()
        return [
            (
                spelled(segment.word),
                segment.start_frame * _FRAME_MS,
                (segment.end_frame + 1) * _FRAME_MS,
                float(segment.prob),
            )
            for segment in self._decoder.seg() or ()
            if not is_filler(segment.word)
        ]


class _Live:
    """Decodes several streams' segments as they grow; a slot is one stream's decoder."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._decoders: dict[int, Decoder] = {}
        self._decoding: set[int] = set()
        self._decoder(0)

    def answer(self, request: tuple[Any, ...]) -> str:
        verb, slot, *rest = request
        decoder = self._decoder(slot)
        if verb == "open":  # another stream's voice: forget the mean of the last one
            self._end(slot)
            decoder.reinit_feat()
        elif verb == "start":
            self._end(slot)
            decoder.start_utt()
            self._decoding.add(slot)
        elif verb == "feed":
            if slot not in self._decoding:
                raise LookupError("the segment was begun in a process that has died")
            decoder.process_raw(rest[0], False, False)
            hypothesis = decoder.hyp()
            return hypothesis.hypstr if hypothesis is not None else ""
        return ""

    def _decoder(self, slot: int) -> Decoder:
        if slot not in self._decoders:
            self._decoders[slot] = Decoder(loglevel="FATAL", **self._options)
        return self._decoders[slot]

    def _end(self, slot: int) -> None:
        if slot in self._decoding:
            self._decoding.discard(slot)
            self._decoders[slot].end_utt()


def main(role_name: str, descriptor: int) -> None:
    # A terminal's Ctrl-C and a supervisor's SIGTERM go to the whole group; the parent drains first
    # and then closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(_NICENESS[role_name])
    connection: Connection[Any, Any] = Connection(descriptor)
    try:
        options = connection.recv()
        role: _Role = _Final(options) if role_name == "final" else _Live(options)
        connection.send(("ready", None))
        while True:
            request = connection.recv()
            try:
                connection.send(("answer", role.answer(request)))
            except (RuntimeError, LookupError) as error:
                connection.send(("failed", f"{type(error).__name__}: {error}"))
    except (EOFError, ConnectionError):
        return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
