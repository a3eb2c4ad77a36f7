"""The text that a display of a few lines shows, as caption events leave it.

For displays that take one text as a whole: a text source, a message on a screen. Nothing is asked
and nothing sent here; times are given, in seconds of any clock that never goes back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from glossa.captions.v1 import captions_pb2
from services.captions.events import matches_language

# For how long the last lines stay when nothing follows them soon: while a session is held or over.
_LAST_LINES_S = 8.0


@dataclass(frozen=True)
class DisplayRules:
    """What is wanted of the text.

    Args:
        language: BCP 47.
        session_id: empty: always the newest session.
        lines: the newest so many sentences.
        clear_after_s: nothing new for so long empties the text; 0: it stays.
        partials: whether what may still change is shown, too.
    """

    language: str
    session_id: str = ""
    lines: int = 2
    clear_after_s: float = 8.0
    partials: bool = False


class DisplayText:
    """Takes the events of a caption stream in order; `text()` is what the display shows now.

    What was said before the display came is not shown: it starts empty and goes on from there.
    """

    def __init__(self, rules: DisplayRules) -> None:
        self._rules = rules
        self._new_finals: deque[str] = deque(maxlen=rules.lines)
        self._screens = captions_pb2.Screens()
        self._journal_id = ""
        self._is_caught_up = False
        self._begin(rules.session_id or None)

    def take(self, event: captions_pb2.SubscribeResponse, now_s: float) -> None:
        if event.journal_id and event.journal_id != self._journal_id:  # its numbers mean others
            self._journal_id = event.journal_id
            self._screens = captions_pb2.Screens()
            self._is_caught_up = False
            self._begin(self._rules.session_id or None)
        kind = event.WhichOneof("event")
        if kind == "screens":
            self._screens = event.screens
        elif kind == "caught_up":
            self._is_caught_up = True
        elif self._is_of_this_session(event):
            self._take_of_session(event, now_s)

    def lose_unstable(self) -> None:
        """The connection to captions broke: nobody will say what became of the open lines."""
        self._drop(lambda caption: not caption.is_final)

    def text(self, now_s: float) -> str:
        """What is to be seen, lines separated by newlines; empty: nothing."""
        if (due_s := self.changes_at_s()) is not None and now_s >= due_s:
            self._empty(self._newest_segment)
            self._captions.clear()  # open lines, too; their finals may still come
        captions = {} if self._screens.is_blank else self._captions
        lines = (self._screens.announcement, *(_text(captions[key]) for key in sorted(captions)))
        return "\n".join(line for line in (" ".join(line.split()) for line in lines) if line)

    def changes_at_s(self) -> float | None:
        """When the text changes though nothing happens; None when it does not."""
        clear_after_s = self._rules.clear_after_s
        if self._is_pausing:
            clear_after_s = clear_after_s or _LAST_LINES_S
        return self._changed_s + clear_after_s if self._captions and clear_after_s else None

    def take_new_finals(self) -> tuple[str, ...]:
        """The newest finals since this was last asked; none while screens are blank."""
        finals = () if self._screens.is_blank else tuple(self._new_finals)
        self._new_finals.clear()
        return finals

    def _begin(self, session_id: str | None) -> None:
        """Starts empty: with a session, with the first that comes (None), or the next ("")."""
        self._session_id = session_id
        self._captions: dict[tuple[int, str], captions_pb2.Caption] = {}
        self._emptied_segment = -1  # nothing up to it is shown any more
        self._newest_segment = -1
        self._changed_s = 0.0
        self._is_pausing = False
        self._new_finals.clear()

    def _is_of_this_session(self, event: captions_pb2.SubscribeResponse) -> bool:
        if not self._rules.session_id and (
            event.HasField("session_started") or self._session_id is None
        ):
            self._begin(event.session_id)
        return event.session_id == self._session_id

    def _take_of_session(self, event: captions_pb2.SubscribeResponse, now_s: float) -> None:
        match event.WhichOneof("event"):
            case "caption":
                self._take_caption(event.caption, now_s)
            case "caption_dropped":
                dropped = event.caption_dropped
                self._drop(
                    lambda caption: (
                        not caption.is_final
                        and caption.segment_id == dropped.segment_id
                        and dropped.language in ("", caption.language)
                    )
                )
            case "segment_hidden":
                hidden = event.segment_hidden
                self._drop(lambda caption: caption.segment_id == hidden.segment_id)
                for caption in hidden.captions:
                    if matches_language(caption.language, (self._rules.language,)):
                        self._take_caption(caption, now_s)
            case "session_held":
                self._pause(event.session_held.is_held, now_s)
            case "session_ended":
                self._pause(True, now_s)
                self.lose_unstable()
            case "session_reset":
                self._empty(event.session_reset.segment_id)
                self.lose_unstable()  # the open segment comes to nothing
            case "session_forgotten":
                self._begin(self._rules.session_id)

    def _take_caption(self, caption: captions_pb2.Caption, now_s: float) -> None:
        if not caption.is_final and not self._rules.partials:
            return
        if caption.is_final:
            self._newest_segment = max(self._newest_segment, caption.segment_id)
            if not self._is_caught_up:
                self._empty(caption.segment_id)
        if caption.segment_id <= self._emptied_segment:
            return
        key = (caption.segment_id, caption.language)
        known = self._captions.get(key)
        if known is not None and (known.is_final, known.revision) > (
            caption.is_final,
            caption.revision,
        ):
            return
        if caption.is_final and (known is None or not known.is_final):
            self._new_finals.append(caption.stable_text)
        self._captions[key] = caption
        self._changed_s = now_s
        if len(self._captions) > self._rules.lines:
            kept = sorted(self._captions)[-self._rules.lines :]
            self._empty(kept[0][0] - 1)  # what rolled away stays away, whatever goes below it

    def _pause(self, is_pausing: bool, now_s: float) -> None:
        """Nothing follows soon, or something does again."""
        self._is_pausing = is_pausing
        self._changed_s = now_s

    def _empty(self, last_segment_id: int) -> None:
        """Takes everything up to a segment away, for good."""
        self._emptied_segment = max(self._emptied_segment, last_segment_id)
        self._drop(lambda caption: caption.segment_id <= last_segment_id)

    def _drop(self, is_gone: Callable[[captions_pb2.Caption], bool]) -> None:
        for key in [key for key, caption in self._captions.items() if is_gone(caption)]:
            del self._captions[key]


def _text(caption: captions_pb2.Caption) -> str:
    return f"{caption.stable_text} {caption.unstable_text}"
