"""What stt has settled without a final: silence is written down, so that speakers let go of it."""

from __future__ import annotations

import asyncio

from services.errors import Unavailable
from services.gateway.intake import Intake
from services.gateway.journal import Journal
from services.gateway.session_rows import settle

# Settled silence is written down this often, or at once when so much of it has come together: then
# the speaker sends faster than real time and waits for the receipt.
_INTERVAL_S = 1.0
_AT_ONCE_S = 10.0


async def write_down_settled(session_id: str, intake: Intake, journal: Journal) -> None:
    """Makes what is settled safe until cancelled."""
    while True:
        await intake.settled.wait()
        intake.settled.clear()
        settled_sample, fresh_s = intake.settled_sample, intake.unsafe_s()
        if fresh_s <= 0:
            continue
        try:
            await journal.write(settle, session_id, settled_sample)
        except Unavailable:  # the journal cannot be written now
            intake.settled.set()
            fresh_s = 0.0
        else:
            intake.make_safe(settled_sample)
        if fresh_s < _AT_ONCE_S:
            await asyncio.sleep(_INTERVAL_S)
