"""The words that displays were given before a final, and how many of them were taken back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from glossa.gateway.v1 import gateway_pb2

# As many as last drafts: some segments of each language of every session.
_TEXTS_REMEMBERED = 1024

_Key = tuple[str, int, str]  # session, segment, language ("" for the transcript)


def common_word_count(first: Sequence[str], second: Sequence[str]) -> int:
    """Words that both begin with."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def erased_word_count(before: Sequence[str], after: Sequence[str]) -> int:
    """Words that a display took back when it replaced one text with another.

    As in the erasure of Arivazhagan et al. 2020 (arXiv 2004.03643): everything from the first word
    that differs.
    """
    return len(before) - common_word_count(before, after)


@dataclass(frozen=True)
class _Shown:
    words: tuple[str, ...] = ()
    erased_count: int = 0

    def followed_by(self, text: str) -> _Shown:
        words = tuple(text.split())
        return _Shown(words, self.erased_count + erased_word_count(self.words, words))


class ShownTexts:
    """What was shown of the open segments, in memory alone: a restart begins to count anew.

    The words of a segment that was dropped count for the one that gets its number.
    Bounded: those not touched for longest are forgotten.
    """

    def __init__(self) -> None:
        self._shown: OrderedDict[_Key, _Shown] = OrderedDict()

    def take(self, update: gateway_pb2.LiveUpdate) -> None:
        """Notes what displays are given."""
        match update.WhichOneof("update"):
            case "transcript":
                transcript = update.transcript
                text = f"{transcript.stable_text} {transcript.unstable_text}"
                self._show((update.session_id, transcript.segment_id, ""), text)
            case "translation":
                key = (
                    update.session_id,
                    update.translation.segment_id,
                    update.translation.language,
                )
                self._show(key, update.translation.text)
            case "segment_dropped":
                dropped = (update.session_id, update.segment_dropped.segment_id)
                for key in [key for key in self._shown if key[:2] == dropped]:
                    self._show(key, "")

    def erased_by(self, session_id: str, segment_id: int, language: str, final_text: str) -> int:
        """Words taken back until this final; language "" for a transcript."""
        shown = self._shown.get((session_id, segment_id, language), _Shown())
        return shown.followed_by(final_text).erased_count

    def committed(self, events: Sequence[gateway_pb2.JournalEvent]) -> None:
        """Forgets what came before finals that are journalled now."""
        for event in events:
            match event.WhichOneof("event"):
                case "transcript":
                    key = (event.session_id, event.transcript.segment_id, "")
                    self._shown.pop(key, None)
                case "translation" | "translation_failed" as kind:
                    final = getattr(event, kind)
                    self._shown.pop((event.session_id, final.segment_id, final.language), None)
                case "session_forgotten":
                    for key in [key for key in self._shown if key[0] == event.session_id]:
                        del self._shown[key]

    def _show(self, key: _Key, text: str) -> None:
        self._shown[key] = self._shown.get(key, _Shown()).followed_by(text)
        self._shown.move_to_end(key)
        if len(self._shown) > _TEXTS_REMEMBERED:
            self._shown.popitem(last=False)
