"""Session reports: one is written when a session ends, others when they are asked for.

Each is made in a process of its own (`services.collector.report`), one at a time. One that is not
written when the collector is killed is written when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import structlog

from services.collector.owed_reports import OwedReports
from services.collector.report import NAMES, STATUS_SCORES_OWED, STATUS_UNKNOWN_SESSION
from services.errors import NotFound, Overloaded, Unavailable

log = structlog.get_logger()

_MAKE_TIMEOUT_S = 180.0
# Scores come after the session's end, seconds later as a rule: the report is then made again. So is
# one that could not be made.
_ATTEMPT_INTERVAL_S = 15.0
_ATTEMPTS = 20
# Ended sessions that may wait; the longest waiting is left out: it can still be asked for.
_WAITING_LIMIT = 32
_WRITTEN_LIMIT = 32  # those at once that wait for their scores
_ASKED_LIMIT = 4
_SAFE_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}")


class Reports:
    """Makes reports.

    Args:
        folder: reports of ended sessions lie here, a folder each; None: they are not written.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._waiting: deque[str] = deque()
        self._writing: set[str] = set()
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._asked = 0

    def session_ended(self, session_id: str) -> None:
        """Notes that a session wants its report; one that has it, after a replay, keeps it."""
        if self._folder is None:
            return
        if not _SAFE_NAME.fullmatch(session_id):
            log.warning("report_left_out", session_id=session_id, reason="not a folder's name")
            return
        owed = OwedReports(self._folder)
        if (self._folder / session_id / NAMES[-1]).exists() and session_id not in owed:
            return
        owed.add(session_id)
        self._wait(session_id)

    def _wait(self, session_id: str) -> None:
        if session_id in self._waiting or session_id in self._writing:
            return
        if len(self._waiting) >= _WAITING_LIMIT:
            log.warning("report_left_out", session_id=self._waiting.popleft(), reason="too many")
        self._waiting.append(session_id)
        self._wake.set()

    def session_forgotten(self, session_id: str) -> None:
        """Deletes what there is of a session's report, and what is being written once it is."""
        with contextlib.suppress(ValueError):
            self._waiting.remove(session_id)
        self._writing.discard(session_id)
        if _SAFE_NAME.fullmatch(session_id):
            self._delete(session_id)

    async def run(self) -> None:
        """Writes the reports of ended sessions, those that are owed first, until cancelled."""
        if self._folder is not None:
            for session_id in await asyncio.to_thread(OwedReports(self._folder).oldest_first):
                self._wait(session_id)
        room = asyncio.Semaphore(_WRITTEN_LIMIT)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await room.acquire()
                while not self._waiting:
                    self._wake.clear()
                    await self._wake.wait()
                session_id = self._waiting.popleft()
                self._writing.add(session_id)
                # A task each: one that waits for its scores does not keep the next from its turn.
                task = tasks.create_task(self._write_ended(session_id))
                task.add_done_callback(lambda _: room.release())

    async def files(self, session_id: str) -> dict[str, bytes]:
        """A report made now, by the files' names.

        Raises:
            NotFound: UNKNOWN_SESSION.
            Overloaded: OVERLOADED.
            Unavailable: REPORT_FAILED.
        """
        if not _SAFE_NAME.fullmatch(session_id):
            raise NotFound(
                "UNKNOWN_SESSION",
                f"{session_id[:100]!r} is no session's id; ./glossa report without one lists them",
            )
        if self._asked >= _ASKED_LIMIT:
            raise Overloaded("OVERLOADED", "others ask for reports just now", retry_after_s=10.0)
        self._asked += 1
        try:
            with _needs_disk(), tempfile.TemporaryDirectory(prefix="glossa-report-") as folder:
                await self._make(session_id, Path(folder))
                return await asyncio.to_thread(_contents, Path(folder))
        finally:
            self._asked -= 1

    async def _write_ended(self, session_id: str) -> None:
        assert self._folder is not None  # noqa: S101  nothing is noted without one
        folder = self._folder / session_id
        failure = ""
        try:
            for _ in range(_ATTEMPTS):
                try:
                    is_whole, failure = await self._make(session_id, folder), ""
                except Unavailable as error:  # the gateway may be starting, too
                    if error.message != failure:
                        log.warning("report_failed", session_id=session_id, message=error.message)
                    is_whole, failure = False, error.message
                if is_whole or session_id not in self._writing:
                    break
                await asyncio.sleep(_ATTEMPT_INTERVAL_S)
        except NotFound:
            self._writing.discard(session_id)
        else:
            # One that failed to the last stays owed: the next start tries again.
            if session_id in self._writing and not failure:
                log.info("report_written", folder=str(folder))
                OwedReports(self._folder).remove(session_id)
        finally:
            if session_id in self._writing:
                self._writing.remove(session_id)
            else:  # it was forgotten meanwhile
                self._delete(session_id)

    def _delete(self, session_id: str) -> None:
        if self._folder is None:
            return
        OwedReports(self._folder).remove(session_id)
        try:
            shutil.rmtree(self._folder / session_id)
        except FileNotFoundError:
            pass
        except OSError as error:
            log.error("report_not_deleted", folder=error.filename, message=error.strerror)

    async def _make(self, session_id: str, folder: Path) -> bool:
        """Writes a report; whether every score was there.

        Raises:
            NotFound: UNKNOWN_SESSION.
            Unavailable: REPORT_FAILED.
        """
        async with self._turn:
            with (
                _needs_disk(),
                tempfile.TemporaryDirectory(prefix="glossa-matplotlib-") as scratch,
            ):
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "services.collector.report", session_id, str(folder)),
                    env={**os.environ, "MPLCONFIGDIR": scratch},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                )
                try:
                    async with asyncio.timeout(_MAKE_TIMEOUT_S):
                        _, told = await process.communicate()
                except TimeoutError as error:
                    raise Unavailable(
                        "REPORT_FAILED", f"the report was not made in {_MAKE_TIMEOUT_S:g} s"
                    ) from error
                finally:
                    if process.returncode is None:
                        process.kill()
                        await process.wait()
        message = told.decode(errors="replace").strip().rpartition("\n")[2]
        if process.returncode == STATUS_UNKNOWN_SESSION:
            raise NotFound("UNKNOWN_SESSION", message, session_id=session_id[:100])
        if process.returncode not in (0, STATUS_SCORES_OWED):
            raise Unavailable("REPORT_FAILED", message or f"it ended with {process.returncode}")
        return process.returncode == 0


@contextlib.contextmanager
def _needs_disk() -> Iterator[None]:
    """Raises Unavailable REPORT_FAILED where there is no room for files or processes."""
    try:
        yield
    except OSError as error:
        raise Unavailable("REPORT_FAILED", f"there is no place to make it: {error}") from error


def _contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in NAMES}
