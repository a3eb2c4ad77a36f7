"""Plays a sentence with whatever player this machine has."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

PLAYERS = (
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet"),
    ("aplay", "-q"),
    ("afplay",),
)


class Player:
    """Plays one file at a time; the next one, or `stop`, ends the one before."""

    def __init__(self) -> None:
        self._playing: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @staticmethod
    def command() -> tuple[str, ...] | None:
        """The first player that is installed."""
        return next((player for player in PLAYERS if shutil.which(player[0])), None)

    def play(self, command: tuple[str, ...], wav: bytes) -> None:
        """Starts and does not wait.

        Raises:
            OSError: the player does not start, or the file cannot be written.
        """
        self.stop()
        self._folder = tempfile.TemporaryDirectory(prefix="glossa-review-")
        path = Path(self._folder.name) / "pair.wav"
        path.write_bytes(wav)
        self._playing = subprocess.Popen(
            [*command, str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        """Ends what plays, and takes its file away."""
        if self._playing is not None:
            self._playing.terminate()
            self._playing.wait()
            self._playing = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
