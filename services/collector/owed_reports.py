"""Which sessions want their report and have not got it whole: a note each, beside the reports.

The queue's cursor moves past a session's end at once, its report comes seconds to minutes later. A
collector that is killed in between finds the notes when it is back.
"""

from __future__ import annotations

from pathlib import Path

import structlog

log = structlog.get_logger()

_FOLDER = ".owed"  # no session's name: those start with a letter or a digit


class OwedReports:
    """The notes.

    A disk that takes none is logged: reports are then lost with the process that owes them.

    Args:
        reports: the folder of the reports.
    """

    def __init__(self, reports: Path) -> None:
        self._folder = reports / _FOLDER

    def __contains__(self, session_id: str) -> bool:
        return (self._folder / session_id).exists()

    def add(self, session_id: str) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / session_id).touch()
        except OSError as error:
            log.warning("report_not_noted", session_id=session_id, message=error.strerror)

    def remove(self, session_id: str) -> None:
        try:
            (self._folder / session_id).unlink(missing_ok=True)
        except OSError as error:
            log.warning("report_still_noted", session_id=session_id, message=error.strerror)

    def oldest_first(self) -> list[str]:
        try:
            notes = sorted((note.stat().st_mtime_ns, note.name) for note in self._folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            log.warning("owed_reports_unreadable", message=error.strerror)
            return []
        return [session_id for _, session_id in notes]
