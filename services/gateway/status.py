"""How it goes, answered from memory: open sessions, engines, warnings, what the screens show."""

from __future__ import annotations

from collections.abc import Sequence

from glossa.gateway.v1 import gateway_pb2
from services.gateway.durability import Durability
from services.gateway.engines import Engines
from services.gateway.sessions import Sessions


class Status:
    """What GetStatus answers."""

    def __init__(self, sessions: Sessions, engines: Engines, durability: Durability) -> None:
        self._sessions = sessions
        self._engines = engines
        self._durability = durability
        self._screens = gateway_pb2.Screens()

    def restore(self, screens: gateway_pb2.Screens) -> None:
        """Takes what the screens showed when the gateway was stopped."""
        self._screens = screens

    def committed(self, events: Sequence[gateway_pb2.JournalEvent]) -> None:
        """Notes what the screens show now."""
        for event in events:
            if event.HasField("screens"):
                self._screens = event.screens

    def now(self) -> gateway_pb2.GetStatusResponse:
        sessions = self._sessions.newest_first()
        return gateway_pb2.GetStatusResponse(
            sessions=[session.status() for session in sessions],
            engines=self._engines.statuses(),
            screens=self._screens,
            warnings=[
                *self._durability.warnings(),
                *(warning for session in sessions for warning in session.warnings()),
            ],
        )
