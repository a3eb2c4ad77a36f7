"""What a display showed, caption by caption: when each word had come to stay, and the flicker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from glossa.captions.v1 import captions_pb2
from services.gateway.shown import common_word_count, erased_word_count


@dataclass(frozen=True)
class Shown:
    """One state of a segment in one language.

    Args:
        arrived_ms: since the first sample was sent.
        heard_ms: audio that it was made from, from the session's first sample.
        stable_count: words, from the first, that were shown as settled.
    """

    arrived_ms: float
    heard_ms: float
    words: tuple[str, ...]
    stable_count: int
    is_final: bool


@dataclass(frozen=True)
class Emission:
    """The final text of a session, word by word, with when each one had come to stay."""

    words: tuple[str, ...]
    delays_ms: tuple[float, ...]  # audio heard by then
    elapsed_ms: tuple[float, ...]  # on the clock


@dataclass
class CaptionLog:
    """The captions of one session in one language."""

    segments: dict[int, list[Shown]] = field(default_factory=dict)

    def add(self, caption: captions_pb2.Caption, arrived_ms: float) -> None:
        words = tuple(f"{caption.stable_text} {caption.unstable_text}".split())
        heard_ms = caption.endpoint_offset_ms or caption.end_offset_ms
        stable_count = len(caption.stable_text.split())
        shown = Shown(arrived_ms, float(heard_ms), words, stable_count, caption.is_final)
        self.segments.setdefault(caption.segment_id, []).append(shown)

    def drop(self, segment_id: int, arrived_ms: float) -> None:
        """The segment's partials are taken away."""
        if states := self.segments.get(segment_id):
            states.append(Shown(arrived_ms, states[-1].heard_ms, (), 0, False))

    @property
    def text(self) -> str:
        """The final text of all segments."""
        return " ".join(" ".join(states[-1].words) for states in self._finals())

    def emission(self) -> Emission:
        """When each word of the final text had come to stay.

        That is the first moment from which all words up to it never changed again. Displays show
        segments in order, so a word counts as no earlier than the one before it.
        """
        words: list[str] = []
        delays: list[float] = []
        elapsed: list[float] = []
        for states in self._finals():
            final = states[-1]
            settled = [final] * len(final.words)
            stays = len(final.words)  # words that no later state took back
            for state in reversed(states):
                stays = min(stays, common_word_count(state.words, final.words))
                settled[:stays] = [state] * stays
            for word, state in zip(final.words, settled, strict=True):
                words.append(word)
                delays.append(max(state.heard_ms, delays[-1] if delays else 0.0))
                elapsed.append(max(state.arrived_ms, elapsed[-1] if elapsed else 0.0))
        return Emission(tuple(words), tuple(delays), tuple(elapsed))

    def erased_words(self, *, stable_only: bool = False) -> int:
        """Words that were shown (as settled, with `stable_only`) and taken back, each time."""
        erased = 0
        for states in self.segments.values():
            before: tuple[str, ...] = ()
            for state in states:
                erased += erased_word_count(before, state.words)
                before = state.words[: state.stable_count] if stable_only else state.words
        return erased

    def events(self) -> Iterable[dict[str, Any]]:
        """Every state as it came, in the order of arrival."""
        rows = [
            {
                "segment_id": segment_id,
                "arrived_ms": round(state.arrived_ms, 1),
                "heard_ms": state.heard_ms,
                "is_final": state.is_final,
                "stable_words": state.stable_count,
                "text": " ".join(state.words),
            }
            for segment_id, states in self.segments.items()
            for state in states
        ]
        return sorted(rows, key=lambda row: float(row["arrived_ms"]))

    def _finals(self) -> list[list[Shown]]:
        """The states of each segment up to its last final, in the order of the segments."""
        found = []
        for _, states in sorted(self.segments.items()):
            last = max((i for i, state in enumerate(states) if state.is_final), default=None)
            if last is not None:
                found.append(states[: last + 1])
        return found
