"""Glossa as a service of systemd: its unit files, and how a process tells systemd how it is."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import TextIO

# What the files in deploy/systemd say, so that they can be used by hand as they are.
_ROOT, _USER, _UP = "/srv/glossa", "glossa", "up --profile embedded"


def unit(template: str, *, root: Path, user: str, up: str = "") -> str:
    """A unit file of deploy/systemd with the paths and the user of this machine.

    Args:
        up: what follows `./glossa` in the unit that keeps Glossa running.
    """
    # Behind these a "%" would be a specifier, and a blank would end a word.
    where = str(root).replace("%", "%%").replace(" ", "\\x20")
    text = template.replace(_ROOT, where)
    text = re.sub(rf"^User={_USER}$", f"User={user}", text, flags=re.MULTILINE)
    return text.replace(_UP, up) if up else text


def is_journal(stream: TextIO) -> bool:
    """Whether a stream goes into systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or no file of the system's
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def notify(state: str) -> None:
    """Tells systemd, if it started this process: "READY=1", "STATUS=..." (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract one
        address = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told:
        told.sendto(state.encode(), address)
