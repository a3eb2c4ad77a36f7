"""Transcripts of any session, from the gateway that captions knows."""

from __future__ import annotations

import re

import grpc

from services.captions.transcripts.journal import read_transcript
from services.captions.transcripts.transcript import Transcript, unknown_session
from services.captions.transcripts.turns import Turns
from services.channels import open_channel
from services.errors import Unavailable, WrongState, reason_of

# A session is some megabytes on the way, and captions has displays to serve.
_READ_AT_ONCE = 2
_READS_WAITING = 32
_SESSION_ID = re.compile(r"[\w.-]{1,128}", re.ASCII)


class Archive:
    """Reads a gateway's journal, a little at a time."""

    def __init__(self, gateway_address: str) -> None:
        """`gateway_address`: host:port; empty: there is none to ask."""
        self._address = gateway_address
        self._turns = Turns(_READ_AT_ONCE, _READS_WAITING)

    @property
    def is_there(self) -> bool:
        """Whether there is a gateway to ask."""
        return bool(self._address)

    async def transcript(self, session_id: str) -> Transcript:
        """The session as it is now, with the times of the words that were heard.

        Raises:
            NotFound: UNKNOWN_SESSION.
            OutOfRange: TRANSCRIPT_TOO_LONG.
            Overloaded: TOO_MANY_EXPORTS.
            Unavailable: GATEWAY_UNAVAILABLE.
            WrongState: NO_GATEWAY.
        """
        if not self._address:
            raise WrongState(
                "NO_GATEWAY",
                "this captions service follows another one and knows no journal: ask that one, or "
                "set GLOSSA_CAPTIONS_GATEWAY_ADDRESS",
            )
        if not _SESSION_ID.fullmatch(session_id):
            raise unknown_session(session_id)
        async with (
            self._turns.turn(),
            open_channel(self._address) as channel,
        ):
            try:
                return await read_transcript(channel, session_id)
            except grpc.aio.AioRpcError as error:
                if reason_of(error) == "UNKNOWN_SESSION":
                    raise unknown_session(session_id) from error
                raise Unavailable(
                    "GATEWAY_UNAVAILABLE",
                    f"the gateway does not answer ({reason_of(error)}); try again in a moment",
                ) from error
