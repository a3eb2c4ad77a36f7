"""How a browser is told to save an answer, and under which name."""

from __future__ import annotations

from urllib.parse import quote


def disposition(file_name: str) -> str:
    """A Content-Disposition (RFC 6266): the name in ASCII, and beside it as it is."""
    plain = "".join(each if each.isascii() and each.isprintable() else "_" for each in file_name)
    plain = plain.replace("\\", "_").replace('"', "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
