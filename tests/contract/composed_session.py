"""Sessions spoken into a composed stack, and what they left: their report, and pairs in Redis."""

from __future__ import annotations

import contextlib
import json
import re
import time
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from services.audio import SAMPLE_RATE_HERTZ
from services.collector.bands import BANDS
from services.settings import port
from tests.contract.docker_compose import ComposedStack
from tests.speech import spoken, with_pauses

SENTENCES = ("The Lord is good to all.", "We believe in one God.", "Let us pray together.")
PASSWORDS = ("/run/glossa/collector/password", "/run/glossa/trainer/password")
REPORTS = "/var/lib/glossa/reports"
_SETTLE_TIMEOUT_S = 90.0


def recorded(folder: Path, sentences: Sequence[str]) -> Path:
    """A file in `folder` in which the sentences are spoken."""
    recording = folder / "sermon.wav"
    with wave.open(str(recording), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(SAMPLE_RATE_HERTZ)
        audio.writeframes(with_pauses(*map(spoken, sentences)).tobytes())
    return recording


def speak(stack: ComposedStack, folder: Path, sentences: Sequence[str], *options: str) -> str:
    """Speaks into the stack from a container beside it; the id of the session, which is over.

    Args:
        options: further ones of `./glossa live`.
    """
    recording = recorded(folder, sentences)
    for path, mode in ((folder, 0o755), (recording, 0o644)):
        path.chmod(mode)  # the container's user is none of this machine
    done = stack.compose(
        *("run", "--rm", "--no-deps", "-T", "client", "live", recording.name),
        *("--gateway", f"gateway:{port('gateway')}", "--speed", "0", *options),
        GLOSSA_RECORDINGS_DIR=str(folder),
    )
    over = re.search(r"session (\S+) is over", done.stdout + done.stderr)
    assert over, done.stdout + done.stderr
    return over[1]


def whole_report(stack: ComposedStack, session: str) -> dict[str, Any]:
    """The report that the collector wrote, once every pair in it has its score."""
    found: dict[str, Any] = {}

    def is_whole() -> bool:
        read = stack.compose("exec", "-T", "collector", "cat", f"{REPORTS}/{session}/report.json")
        if read.returncode == 0:
            found.update(json.loads(read.stdout))
        return bool(found) and not found["pairs"]["owed_scores"]

    wait_for(is_whole, "there is no whole report")
    return found


def pairs_by_band(report: dict[str, Any]) -> dict[str, int]:
    bands: dict[str, int] = report["pairs"]["by_language"]["es"]["bands"]
    return {band: bands[band] for band in BANDS}


def queued_pairs(stack: ComposedStack, session: str) -> dict[str, list[dict[str, str]]]:
    """What each band's stream holds of a session."""
    password = stack.said("redis", "cat", "/data/operator.password")
    with contextlib.closing(stack.redis("operator", password)) as connection:
        return {
            band: [
                fields
                for _, fields in connection.xrange(f"glossa:pairs:{band}")
                if fields["session_id"] == session
            ]
            for band in BANDS
        }


def wait_for(is_so: Callable[[], bool], otherwise: str) -> None:
    gives_up_at = time.monotonic() + _SETTLE_TIMEOUT_S
    while not is_so():
        assert time.monotonic() < gives_up_at, otherwise
        time.sleep(0.5)
