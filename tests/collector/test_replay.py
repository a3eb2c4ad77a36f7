"""Whatever comes again, however often and however cut: the same journal gives the same Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.collector.bands import BANDS, Band
from services.collector.pair import Change, Decision, ExcludedPair, ForgottenSession, ShownText
from services.collector.queues import Queues
from services.collector.write_script import Write
from tests.collector.pairs import pair, reviewed, scored
from tests.collector.redis_contents import state
from tests.collector.redis_process import RedisProcess

JOURNAL = "journal-1"
SESSIONS = ("session-a", "session-b")


@dataclass(frozen=True)
class Step:
    """Sends a part of the journal again, from a cursor that Redis had or has."""

    back: int
    ahead: int


def journal(choices: Sequence[tuple[str, int, Band | Decision | str]]) -> list[Write]:
    """A journal that could be: decisions follow their pairs, nothing follows the forgetting."""
    writes: list[Write] = []
    machines: dict[tuple[str, int], Any] = {}
    revisions: dict[tuple[str, int], int] = {}
    forgotten: set[str] = set()
    for session_id, segment_id, choice in choices:
        key, sequence = (session_id, segment_id), len(writes) + 1
        change: Change | None = None
        if session_id in forgotten:
            pass
        elif isinstance(choice, Band) and key not in machines:
            machines[key] = change = scored(
                choice, sequence=sequence, session_id=session_id, segment_id=segment_id
            )
        elif isinstance(choice, Decision) and key in machines:
            revisions[key] = revisions.get(key, 0) + 1
            change = reviewed(machines[key], sequence, choice, revisions[key])
        elif choice == "excluded":
            change = ExcludedPair(pair(session_id=session_id, segment_id=99), "no_speech")
        elif choice == "shown":
            change = ShownText(session_id, segment_id, "es", f"texto {sequence}")
        elif choice == "forgotten":
            change = ForgottenSession(sequence, session_id)
            forgotten.add(session_id)
        writes.append(Write(sequence, change))
    return writes


CHOICES = st.lists(
    st.tuples(
        st.sampled_from(SESSIONS),
        st.integers(1, 3),
        st.sampled_from(
            [*BANDS, *Decision, Decision.WITHDRAWN, "excluded", "shown", "forgotten", ""]
        ),
    ),
    min_size=1,
    max_size=30,
)
STEPS = st.lists(st.builds(Step, st.integers(0, 12), st.integers(1, 12)), max_size=8)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(choices=CHOICES, steps=STEPS, emptied_after=st.integers(0, 8))
def test_a_journal_that_is_replayed_from_anywhere_ends_in_the_same_state(
    server: RedisProcess,
    choices: list[tuple[str, int, Band | Decision | str]],
    steps: list[Step],
    emptied_after: int,
) -> None:
    writes = journal(choices)
    server.client.flushall()
    asyncio.run(write_in_order(server.url, writes))
    expected = state(server.client)

    server.client.flushall()
    asyncio.run(write_with_repeats(server, writes, steps, emptied_after))
    assert state(server.client) == expected


async def write_in_order(url: str, writes: list[Write]) -> None:
    queues = Queues.open(url)
    await queues.write(JOURNAL, 0, writes)
    await queues.close()


async def write_with_repeats(
    server: RedisProcess, writes: list[Write], steps: list[Step], emptied_after: int
) -> None:
    queues = Queues.open(server.url)
    for number, step in enumerate(steps):
        if number == emptied_after:
            server.client.flushall()
        cursor = await queues.cursor(JOURNAL)
        start = max(0, cursor - step.back)
        await queues.write(JOURNAL, start, writes[start : cursor + step.ahead])
    # As the follower does: from where Redis stands, to the end of the journal.
    cursor = await queues.cursor(JOURNAL)
    await queues.write(JOURNAL, cursor, writes[cursor:])
    await queues.close()
