"""Watches whether the journal can be written: operators are told, and told when it can again."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from glossa.gateway.v1 import gateway_pb2
from services.errors import Unavailable
from services.gateway.degradation import Degradation
from services.gateway.journal import Journal
from services.gateway.transaction import Transaction

_INTERVAL_S = 1.0


class Durability:
    """What the newest writes say; while they fail, more are tried, though nobody speaks.

    Args:
        folder: whose disk the journal is on.
    """

    def __init__(self, journal: Journal, folder: Path, degradation: Degradation) -> None:
        self._journal = journal
        self._folder = folder
        self._degradation = degradation

    def warnings(self) -> list[gateway_pb2.StatusWarning]:
        """One while the journal cannot be written."""
        if not self._journal.failure:
            return []
        return [
            gateway_pb2.StatusWarning(
                reason="JOURNAL_FAILED",
                message=f"the journal cannot be written ({self._journal.failure}): see that the "
                f"disk of {self._folder} has room, and that no other program holds the journal; "
                "lines come when it can be written, what is said is kept meanwhile",
            )
        ]

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            if self._journal.failure:
                with contextlib.suppress(Unavailable):
                    await self._journal.write(_rewrite_a_page)
            self._degradation.note_journal(self._journal.failure)
            await asyncio.sleep(_INTERVAL_S)


def _rewrite_a_page(transaction: Transaction) -> None:
    """Leaves everything as it is. An UPDATE to the same value would write nothing."""
    transaction.connection.execute("INSERT INTO forgetting VALUES ('', 0, 0)")
    transaction.connection.execute("DELETE FROM forgetting WHERE session_id = ''")
