"""`./glossa live`: what it refuses before anything is sent."""

from __future__ import annotations

from tests.cli.verb import run_verb


def test_two_recordings_are_refused() -> None:
    done = run_verb("live", "first.flac", "second.flac")
    assert done.returncode == 2
    assert "one recording at a time" in done.stderr
