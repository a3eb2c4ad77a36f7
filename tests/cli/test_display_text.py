"""The text of a display of few lines, event by event."""

from __future__ import annotations

import pytest

from cli.display_text import DisplayRules, DisplayText
from glossa.captions.v1 import captions_pb2 as captions


class Display:
    """A display that came before anything was said; a second goes by with each event."""

    def __init__(self, *, is_caught_up: bool = True, **rules: object) -> None:
        self.display = DisplayText(DisplayRules("es", **rules))  # type: ignore[arg-type]
        self.now_s = 100.0
        if is_caught_up:
            self.take(caught_up=captions.CaughtUp())

    def take(self, session_id: str = "sunday", journal_id: str = "j", **body: object) -> None:
        self.now_s += 1.0
        event = captions.SubscribeResponse(session_id=session_id, journal_id=journal_id, **body)
        self.display.take(event, self.now_s)

    def start(self, session_id: str = "sunday") -> None:
        self.take(session_id, session_started=captions.SessionStarted())

    def say(self, segment_id: int, text: str, session_id: str = "sunday", **more: object) -> None:
        self.take(session_id, caption=final(segment_id, text, **more))

    def draft(self, segment_id: int, revision: int, stable: str, unstable: str = "") -> None:
        self.take(
            caption=captions.Caption(
                segment_id=segment_id,
                language="es",
                revision=revision,
                stable_text=stable,
                unstable_text=unstable,
            )
        )

    def lines(self, after_s: float = 0.0) -> list[str]:
        self.now_s += after_s
        return self.display.text(self.now_s).splitlines()


def final(segment_id: int, text: str, revision: int = 9, language: str = "es") -> captions.Caption:
    return captions.Caption(
        segment_id=segment_id,
        language=language,
        revision=revision,
        is_final=True,
        stable_text=text,
    )


def test_the_newest_lines_stand_in_the_order_of_speech_however_late_one_comes() -> None:
    display = Display()
    display.say(3, "tercera")
    display.say(2, "segunda, tarde")
    assert display.lines() == ["segunda, tarde", "tercera"]
    display.say(4, "cuarta")
    assert display.lines() == ["tercera", "cuarta"]
    display.say(2, "segunda, corregida", revision=90)
    assert display.lines() == ["tercera", "cuarta"]  # it rolled away: it does not come back


def test_an_older_revision_does_not_take_a_newer_one_away() -> None:
    display = Display()
    display.say(1, "corregida", revision=90)
    display.say(1, "como fue", revision=9)
    assert display.lines() == ["corregida"]
    assert display.display.take_new_finals() == ("corregida",)


def test_a_line_that_is_hidden_leaves_room_and_brings_no_older_one_back() -> None:
    display = Display(lines=2)
    for number, text in enumerate(("uno", "dos", "tres"), 1):
        display.say(number, text)
    display.take(segment_hidden=captions.SegmentHidden(segment_id=3, is_hidden=True))
    assert display.lines() == ["dos"]
    shown = [final(3, "tres"), final(3, "three", language="en")]
    display.take(segment_hidden=captions.SegmentHidden(segment_id=3, captions=shown))
    assert display.lines() == ["dos", "tres"]
    old = captions.SegmentHidden(segment_id=1, captions=[final(1, "uno")])
    display.take(segment_hidden=old)
    assert display.lines() == ["dos", "tres"]


def test_drafts_are_shown_only_where_they_are_wanted_and_go_with_their_segment() -> None:
    without = Display()
    without.draft(1, 1, "que")
    assert without.lines() == []
    display = Display(partials=True)
    display.draft(1, 2, "que la", "gracia")
    display.draft(1, 1, "", "una versión más vieja")
    assert display.lines() == ["que la gracia"]
    other = captions.CaptionDropped(segment_id=1, language="fr")
    display.take(caption_dropped=other)
    assert display.lines() == ["que la gracia"]
    display.take(caption_dropped=captions.CaptionDropped(segment_id=1))
    assert display.lines() == []
    display.draft(2, 1, "y la")
    display.say(2, "y la paz")
    display.draft(2, 30, "tarde")
    assert display.lines() == ["y la paz"]
    display.draft(3, 1, "perdida")
    display.display.lose_unstable()
    assert display.lines() == ["y la paz"]


def test_lines_go_together_once_nothing_new_came_and_stay_gone() -> None:
    display = Display(clear_after_s=5.0)
    display.say(1, "uno")
    display.say(2, "dos")
    assert display.lines(after_s=4.9) == ["uno", "dos"]
    assert display.display.changes_at_s() == pytest.approx(display.now_s + 0.1)
    assert display.lines(after_s=0.1) == []
    assert display.display.changes_at_s() is None
    display.say(1, "uno, corregido", revision=90)
    assert display.lines() == []
    display.say(3, "tres")
    assert display.lines() == ["tres"]


@pytest.mark.parametrize(
    "pause",
    [
        {"session_held": captions.SessionHeld(is_held=True)},
        {"session_ended": captions.SessionEnded()},
    ],
)
def test_lines_that_would_stay_for_ever_go_when_a_session_pauses(pause: dict[str, object]) -> None:
    display = Display(clear_after_s=0.0)
    display.say(1, "uno")
    assert display.lines(after_s=3600.0) == ["uno"]
    display.take(**pause)
    display.say(2, "lo último antes")  # said before the pause, translated in it
    assert display.lines(after_s=7.0) == ["uno", "lo último antes"]
    assert display.lines(after_s=1.5) == []
    display.take(session_held=captions.SessionHeld(is_held=False))
    display.say(3, "tres")
    assert display.lines(after_s=3600.0) == ["tres"]


def test_a_display_of_all_sessions_shows_the_newest_and_one_of_a_session_that_one() -> None:
    newest, one = Display(), Display(session_id="sunday")
    for display in (newest, one):
        display.start("sunday")
        display.say(1, "el domingo", "sunday")
        display.start("monday")
        assert display.lines() == (["el domingo"] if display is one else [])
        display.say(1, "el lunes", "monday")
        display.say(2, "más del domingo", "sunday")
    assert newest.lines() == ["el lunes"]
    assert one.lines() == ["el domingo", "más del domingo"]


def test_a_session_that_is_forgotten_leaves_nothing_and_no_older_one_takes_its_place() -> None:
    display = Display()
    display.start("sunday")
    display.say(1, "uno")
    display.take(session_forgotten=captions.SessionForgotten())
    assert display.lines() == []
    assert display.display.take_new_finals() == ()
    display.say(4, "una corrección de otra", "saturday", revision=90)
    assert display.lines() == []
    display.start("monday")
    display.say(1, "el lunes", "monday")
    assert display.lines() == ["el lunes"]


def test_what_was_said_before_it_came_is_not_shown_but_what_screens_show_is() -> None:
    display = Display(is_caught_up=False)
    display.start()
    display.say(1, "antes")
    display.take("", screens=captions.Screens(announcement="Hay café"))
    assert display.lines() == ["Hay café"]
    display.take(caught_up=captions.CaughtUp())
    display.say(1, "antes, corregido", revision=90)
    display.say(2, "ahora")
    assert display.lines() == ["Hay café", "ahora"]


def test_another_journal_starts_from_nothing() -> None:
    display = Display()
    display.start()
    display.take("", screens=captions.Screens(is_blank=True))
    display.say(40, "del viejo")
    display.take(journal_id="k", session_started=captions.SessionStarted())
    display.take(journal_id="k", caption=final(1, "viejo del nuevo"))
    display.take(journal_id="k", caught_up=captions.CaughtUp())
    assert display.lines() == []
    display.take(journal_id="k", caption=final(2, "del nuevo"))
    assert display.lines() == ["del nuevo"]


def test_nothing_said_while_screens_are_blank_becomes_a_closed_caption() -> None:
    display = Display(lines=1)
    display.take("", screens=captions.Screens(is_blank=True))
    display.say(1, "no para todos")
    assert display.display.take_new_finals() == ()
    display.take("", screens=captions.Screens())
    display.say(2, "uno")
    display.say(3, "dos")
    assert display.display.take_new_finals() == ("dos",)  # as many as it shows, no backlog
    assert display.display.take_new_finals() == ()
