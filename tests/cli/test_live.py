"""`./glossa live`: what it refuses before anything is sent."""

from __future__ import annotations

from cli.counted import counted
from tests.cli.verb import run_verb


def test_two_recordings_are_refused() -> None:
    done = run_verb("live", "first.flac", "second.flac")
    assert done.returncode == 2
    assert "one recording at a time" in done.stderr


def test_one_final_is_no_finals() -> None:
    assert [counted(count, "final") for count in (0, 1, 2)] == ["0 finals", "1 final", "2 finals"]
