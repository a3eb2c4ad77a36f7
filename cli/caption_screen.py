"""Captions on a terminal: finals scroll away above, what may still change stays below."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from glossa.captions.v1 import captions_pb2
from services.captions.events import matches_language

# C0 and C1: what people or engines wrote must not steer the terminal.
_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), " ")
_CLEAR_SCROLLBACK = "\x1b[3J"  # as xterm and its kin understand it


class CaptionScreen:
    """Shows the events of a caption stream in the order in which they come."""

    def __init__(self, console: Console | None = None, languages: tuple[str, ...] = ()) -> None:
        """`languages` are those that were subscribed to; empty: all."""
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._languages = languages
        # Text that may still change, by session, segment and language.
        self._open: dict[tuple[str, int, str], captions_pb2.Caption] = {}
        self._printed_segments: dict[str, set[int]] = {}  # by session
        self._screens = captions_pb2.Screens()
        self._waits = True  # nothing was shown, and nobody told why
        self._live = Live(console=self.console, refresh_per_second=8, transient=True)

    def __enter__(self) -> CaptionScreen:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, event: captions_pb2.SubscribeResponse) -> None:
        match event.WhichOneof("event"):
            case "session_started":
                self._waits = False
                started = event.session_started
                languages = ", ".join((started.source_language, *started.target_languages))
                title = f" {started.title!r}" if started.title else ""
                self.note(f"session {event.session_id}{title} ({languages})")
            case "caption":
                self._show_caption(event.session_id, event.caption)
            case "caption_dropped":
                dropped = event.caption_dropped
                self._forget(event.session_id, dropped.segment_id, dropped.language)
            case "session_ended":
                self._forget_open(event.session_id)
                self.note(f"session {event.session_id} is over")
            case "session_forgotten":
                self._forget_session(event.session_id)
            case "segment_hidden":
                self._show_hidden(event.session_id, event.segment_hidden)
            case "session_held":
                held = "is held" if event.session_held.is_held else "goes on"
                self.note(f"session {event.session_id} {held}")
            case "session_reset":
                self._forget_open(event.session_id)  # the open segment comes to nothing
                self.note(f"session {event.session_id} begins anew: screens are emptied")
            case "caught_up" if self._waits and not self._printed_segments:
                self._waits = False
                self.note("waiting for a session; its captions appear here by themselves")
            case "screens":
                self._note_screens(event.screens)
        self._refresh()

    def lose_unstable(self) -> None:
        """The connection broke: nobody will say what became of the open lines."""
        self._open.clear()
        self._refresh()

    def _refresh(self) -> None:
        if self.console.is_terminal:
            self._live.update(Group(*(_line(caption) for caption in self._open.values())))

    def note(self, text: str) -> None:
        """A line that is not a caption."""
        self.console.print(Text(f"-- {text.translate(_CONTROLS)}", style="cyan"))

    def _forget_session(self, session_id: str) -> None:
        """Wipes a terminal on which a deleted session stands: single lines cannot be taken away."""
        self._forget_open(session_id)
        if session_id not in self._printed_segments:
            return
        self._printed_segments.clear()
        if self.console.is_terminal:
            self.console.clear()
            self.console.file.write(_CLEAR_SCROLLBACK)
        self.note(f"session {session_id} was deleted")

    def _show_caption(self, session_id: str, caption: captions_pb2.Caption) -> None:
        printed = self._printed_segments.setdefault(session_id, set())
        key = (session_id, caption.segment_id, caption.language)
        if caption.is_final:
            self._open.pop(key, None)
            printed.add(caption.segment_id)
            self.console.print(_line(caption))
        elif key not in self._open or self._open[key].revision < caption.revision:
            self._open[key] = caption

    def _show_hidden(self, session_id: str, hidden: captions_pb2.SegmentHidden) -> None:
        """Says that a printed line was hidden, since it cannot be taken away; prints one again."""
        if not hidden.is_hidden:
            for caption in hidden.captions:
                if matches_language(caption.language, self._languages):
                    self._show_caption(session_id, caption)
            return
        self._forget(session_id, hidden.segment_id, "")
        if hidden.segment_id in self._printed_segments.get(session_id, ()):
            self.note(f"line {hidden.segment_id} of session {session_id} was hidden on all screens")

    def _note_screens(self, screens: captions_pb2.Screens) -> None:
        """Says what changed of what all screens show."""
        before, self._screens = self._screens, screens
        if screens.is_blank != before.is_blank:
            self.note("all screens are blank" if screens.is_blank else "screens show captions")
        if screens.announcement and screens.announcement != before.announcement:
            self.note(f"announcement on all screens: {screens.announcement}")
        elif before.announcement and not screens.announcement:
            self.note("the announcement is gone from all screens")

    def _forget_open(self, session_id: str) -> None:
        for key in [key for key in self._open if key[0] == session_id]:
            del self._open[key]

    def _forget(self, session_id: str, segment_id: int, language: str) -> None:
        """Takes open lines of a segment away: of one language, or of all when it is empty."""
        for key in list(self._open):
            if key[:2] == (session_id, segment_id) and language in ("", key[2]):
                del self._open[key]


def _line(caption: captions_pb2.Caption) -> Text:
    """`[01:23] es  text`: firm what will stay, dim what may still change."""
    minutes, seconds = divmod(caption.start_offset_ms // 1000, 60)
    firm = ("bold" if caption.is_source else "bold green") if caption.is_final else ""
    line = Text.assemble(
        (f"[{minutes:02d}:{seconds:02d}] {caption.language:<3}", "dim"),
        " ",
        (caption.stable_text.translate(_CONTROLS), firm),
    )
    if caption.unstable_text:
        unstable_text = caption.unstable_text.translate(_CONTROLS)
        line.append(f"{' ' if caption.stable_text else ''}{unstable_text}", "dim italic")
    if caption.is_corrected:
        line.append("  (corrected)", "dim")
    return line
