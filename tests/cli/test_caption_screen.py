"""What a reader of `./glossa captions` sees."""

from __future__ import annotations

import io

from rich.console import Console

from cli.caption_screen import CaptionScreen
from glossa.captions.v1 import captions_pb2


def event(sequence: int = 0, **caption: object) -> captions_pb2.SubscribeResponse:
    return captions_pb2.SubscribeResponse(
        sequence=sequence,
        session_id="session",
        caption=captions_pb2.Caption(segment_id=1, start_offset_ms=61_500, **caption),
    )


def partial(revision: int, stable: str, unstable: str) -> captions_pb2.SubscribeResponse:
    return event(language="en", revision=revision, stable_text=stable, unstable_text=unstable)


FINAL = event(
    5, language="en", revision=9, is_final=True, stable_text="Let us pray", is_source=True
)


def test_away_from_a_terminal_only_finals_are_printed() -> None:
    out = io.StringIO()
    with CaptionScreen(Console(file=out)) as screen:
        screen.show(partial(1, "", "let"))
        screen.show(partial(2, "let us", "play"))
        screen.show(FINAL)
    assert out.getvalue() == "[01:01] en  Let us pray\n"


def test_on_a_terminal_partials_are_dim_and_make_room_for_the_final() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", width=80)
    with CaptionScreen(console) as screen:
        screen.show(partial(2, "let us", "play"))
        screen._live.refresh()
        shown = out.getvalue()
        assert "let us" in shown
        assert "\x1b[2;3m play" in shown  # dim, italic
        screen.show(partial(1, "", "an older revision that comes late"))
        screen.show(FINAL)
        screen._live.refresh()
    assert "\x1b[1mLet us pray" in out.getvalue()  # bold
    assert "older revision" not in out.getvalue()


def test_a_dropped_segment_takes_its_partials_away() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    with CaptionScreen(console) as screen:
        screen.show(partial(1, "", "cough"))
        screen.show(
            captions_pb2.SubscribeResponse(
                session_id="session", caption_dropped=captions_pb2.CaptionDropped(segment_id=1)
            )
        )
        out.truncate(0)
        screen._live.refresh()
        assert "cough" not in out.getvalue()


def test_a_deleted_session_leaves_neither_partials_nor_a_terminal_full_of_it() -> None:
    out = io.StringIO()
    deleted = captions_pb2.SubscribeResponse(
        sequence=6, session_id="session", session_forgotten=captions_pb2.SessionForgotten()
    )
    with CaptionScreen(Console(file=out, force_terminal=True)) as screen:
        screen.show(FINAL)
        screen.show(partial(3, "let us", "play"))
        screen.show(deleted)
        after_it = len(out.getvalue())
        screen.show(deleted)  # of a session that is not shown: nothing to say
    assert "\x1b[2J" in out.getvalue()
    assert out.getvalue().count("session session was deleted") == 1
    assert "let us" not in out.getvalue()[after_it:]


def said(*events: captions_pb2.SubscribeResponse, languages: tuple[str, ...] = ()) -> list[str]:
    """The lines that a reader has after these events, away from a terminal."""
    out = io.StringIO()
    with CaptionScreen(Console(file=out, width=200), languages) as screen:
        for each in events:
            screen.show(each)
    return out.getvalue().splitlines()


def happened(**body: object) -> captions_pb2.SubscribeResponse:
    return captions_pb2.SubscribeResponse(sequence=7, session_id="session", **body)


def hidden(is_hidden: bool, *captions: captions_pb2.Caption) -> captions_pb2.SubscribeResponse:
    return happened(
        segment_hidden=captions_pb2.SegmentHidden(
            segment_id=1, is_hidden=is_hidden, captions=captions
        )
    )


def test_a_hidden_line_is_told_of_where_it_was_printed_and_printed_again_when_it_comes_back() -> (
    None
):
    spanish = captions_pb2.Caption(
        segment_id=1, language="es", is_final=True, stable_text="Oremos", start_offset_ms=61_500
    )
    lines = said(
        hidden(True),  # before this display had it: nothing to say
        FINAL,
        hidden(True),
        hidden(False, FINAL.caption, spanish),
        languages=("en",),
    )
    assert lines == [
        "[01:01] en  Let us pray",
        "-- line 1 of session session was hidden on all screens",
        "[01:01] en  Let us pray",
    ]


def test_an_open_line_goes_when_its_segment_is_hidden_reset_or_the_connection_breaks() -> None:
    takers = (
        lambda screen: screen.show(hidden(True)),
        lambda screen: screen.show(happened(session_reset=captions_pb2.SessionReset(segment_id=1))),
        lambda screen: screen.lose_unstable(),
    )
    for take_away in takers:
        out = io.StringIO()
        with CaptionScreen(Console(file=out, force_terminal=True, width=80)) as screen:
            screen.show(partial(1, "", "cough"))
            screen._live.refresh()
            assert "cough" in out.getvalue()
            take_away(screen)
            out.truncate(0)
            screen._live.refresh()
            assert "cough" not in out.getvalue()


def test_what_operators_do_is_told_once() -> None:
    def screens(**fields: object) -> captions_pb2.SubscribeResponse:
        return captions_pb2.SubscribeResponse(sequence=8, screens=captions_pb2.Screens(**fields))

    assert said(
        happened(session_held=captions_pb2.SessionHeld(is_held=True)),
        happened(session_held=captions_pb2.SessionHeld(is_held=False)),
        happened(session_reset=captions_pb2.SessionReset(segment_id=4)),
        screens(announcement="A blue car blocks the gate"),
        screens(is_blank=True, announcement="A blue car blocks the gate"),
        screens(),
    ) == [
        "-- session session is held",
        "-- session session goes on",
        "-- session session begins anew: screens are emptied",
        "-- announcement on all screens: A blue car blocks the gate",
        "-- all screens are blank",
        "-- screens show captions",
        "-- the announcement is gone from all screens",
    ]


def test_before_the_first_session_it_says_once_what_it_waits_for() -> None:
    out = io.StringIO()
    caught_up = captions_pb2.SubscribeResponse(caught_up=captions_pb2.CaughtUp())
    with CaptionScreen(Console(file=out, width=200)) as screen:
        screen.show(caught_up)
        screen.show(caught_up)  # the connection came back
        screen.show(FINAL)
    waits, said = out.getvalue().splitlines()
    assert waits == "-- waiting for a session; its captions appear here by themselves"
    assert said.endswith("Let us pray")
    out = io.StringIO()
    with CaptionScreen(Console(file=out, width=200)) as screen:
        screen.show(FINAL)
        screen.show(caught_up)
    assert "waiting" not in out.getvalue()


def test_no_text_steers_the_terminal() -> None:
    out = io.StringIO()
    screens = captions_pb2.Screens(announcement="Coffee\x1b]0;stolen\x07")
    with CaptionScreen(Console(file=out)) as screen:
        screen.show(event(5, language="fr", is_final=True, stable_text="Oui\xa0!\x1b[2J\x9b31m"))
        screen.show(captions_pb2.SubscribeResponse(sequence=6, screens=screens))
    assert "Oui\xa0! [2J 31m" in out.getvalue()
    assert "Coffee" in out.getvalue()
    assert not {"\x1b", "\x9b", "\x07"} & set(out.getvalue())
