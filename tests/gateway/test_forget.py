"""A forgotten session is gone: rows, bytes, audio, owed work; nothing brings it back."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import grpc
import numpy as np
import pytest

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.errors import Unavailable, reason_of
from services.gateway.audio_store import AudioStore
from services.gateway.forgetting import Forgetting
from services.gateway.forgotten import begin_forgetting, delete_piece
from services.gateway.heard import append_transcript
from services.gateway.journal import Journal
from services.gateway.session_rows import end_session, start_session
from tests.gateway.conftest import Stack, drained, open_stream
from tests.gateway.peers import REFUSED_SENTENCE, sentence, sermon
from tests.gateway.test_sessions import StartStack, of_kind, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

TITLE = "Harvest evening in the chapel"


def traces(folder: Path, needles: Sequence[bytes]) -> dict[str, int]:
    """How often any of `needles` stands in each file below the folder, but for logs."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".log":
            content = path.read_bytes()
            count = sum(content.count(needle) for needle in needles)
            if count:
                found[path.name] = count
    return found


async def forget(stack: Stack, session_id: str) -> gateway_pb2.ForgetSessionResponse:
    return await stack.calls.ForgetSession(
        gateway_pb2.ForgetSessionRequest(session_id=session_id), timeout=30
    )


async def refusal(stack: Stack, session_id: str) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await forget(stack, session_id)
    return reason_of(failure.value)


async def spoken(stack: Stack, numbers: list[int], **config: object) -> str:
    session_id = await stack.speak(sermon(numbers), **config)
    await stack.scored_events(session_id, len(numbers))
    return session_id


async def test_everything_of_a_session_goes_and_its_end_remains(own_stack: StartStack) -> None:
    stack = await own_stack()
    kept = await spoken(stack, [21, 22])
    kept_events = await stack.events(kept)
    gone = await spoken(stack, [31, 32, 33], title=TITLE, store_audio=True)
    await stack.calls.CorrectSegment(
        gateway_pb2.CorrectSegmentRequest(
            session_id=gone, segment_id=2, language="es", text="Cosecha buena"
        )
    )
    await stack.calls.ReviewPair(
        gateway_pb2.ReviewPairRequest(
            session_id=gone,
            segment_id=1,
            language="es",
            decision=types_pb2.DECISION_FIXED,
            target_text="Tarde de cosecha",
            review_id="r-1",
        )
    )
    event_count = len(await stack.events(gone))
    sounds = np.full(64, 31, dtype=np.int16).tobytes()
    needles = [
        TITLE.encode(),
        b"Cosecha",
        b"cosecha",
        sounds,
        *(sentence(number).encode() for number in (31, 32, 33)),
    ]
    assert set(traces(stack.folder, needles)) >= {"journal.db-wal", f"{gone}.s16le"}

    answer = await forget(stack, gone)
    assert traces(stack.folder, needles) == {}
    assert (answer.event_count, answer.audio_bytes) == (event_count, len(sermon([1, 2, 3])) * 2)
    assert (answer.remaining_row_count, answer.remaining_audio_bytes) == (0, 0)
    (event,) = await stack.events(gone)
    assert event.sequence == answer.sequence
    assert event.session_forgotten == gateway_pb2.SessionForgotten(
        reason=gateway_pb2.FORGET_REASON_REQUESTED,
        event_count=event_count,
        audio_bytes=answer.audio_bytes,
    )
    assert await forget(stack, gone) == answer
    assert await stack.events(kept) == kept_events
    sessions = await stack.calls.ListSessions(gateway_pb2.ListSessionsRequest())
    assert [each.session_id for each in sessions.sessions] == [kept]
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await drained(stack.journal.FetchAudio(gateway_pb2.FetchAudioRequest(session_id=gone)))
    assert reason_of(failure.value) == "UNKNOWN_SESSION"

    stack.gateway.kill()
    stack.gateway.start()
    await stack.gateway.wait_ready()
    assert await forget(stack, gone) == answer
    assert traces(stack.folder, needles) == {}


async def test_followers_learn_of_it_whenever_they_come(stack: Stack) -> None:
    session_id = await spoken(stack, [41, 42])
    others_before = [each for each in await stack.events() if each.session_id != session_id]
    live = stack.journal.Follow(gateway_pb2.FollowRequest(live=True), timeout=30)
    while not (await live.read()).HasField("caught_up"):
        pass
    answer = await forget(stack, session_id)
    heard = await live.read()
    assert heard.event.HasField("session_forgotten")
    assert (heard.event.session_id, heard.event.sequence) == (session_id, answer.sequence)
    live.cancel()
    events = await stack.events()
    assert events[:-1] == others_before
    assert events[-1] == heard.event


async def test_an_open_or_unknown_session_is_not_forgotten(stack: Stack) -> None:
    call = stack.calls.StreamAudio(timeout=30)
    session_id = (await open_stream(call)).session_id
    assert await refusal(stack, session_id) == "SESSION_OPEN"
    await call.done_writing()
    assert (await drained(call))[-1].HasField("session_closed")
    assert (await forget(stack, session_id)).event_count == 2
    for unknown in ("nobody", "", "../journal", "\0"):
        assert await refusal(stack, unknown) == "UNKNOWN_SESSION"


async def test_a_translation_that_comes_later_brings_nothing_back(own_stack: StartStack) -> None:
    """mt is away when the session ends, and answers after it was forgotten."""
    stack = await own_stack(end_drain_timeout_s=0.2)
    stack.peers["mt"].kill()
    session_id = await stack.speak(sermon([51, 52, REFUSED_SENTENCE]))
    assert said(await stack.events(session_id)) == [
        sentence(number) for number in (51, 52, REFUSED_SENTENCE)
    ]
    answer = await forget(stack, session_id)
    stack.peers["mt"].start()
    later = await spoken(stack, [61])  # the pipeline lives, and goes on past what was owed
    assert len(await stack.events(session_id)) == 1
    assert (await forget(stack, session_id)).remaining_row_count == 0
    assert min(each.sequence for each in await stack.events(later)) > answer.sequence


async def test_what_waits_for_a_slow_engine_is_let_go(own_stack: StartStack) -> None:
    """qe is away: the scores are owed when the session is forgotten, and never written."""
    stack = await own_stack()
    stack.peers["qe"].kill()
    session_id = await stack.speak(sermon([71]))
    assert of_kind(await stack.events(session_id), "translation")
    await forget(stack, session_id)
    stack.peers["qe"].start()
    await spoken(stack, [72])
    assert len(await stack.events(session_id)) == 1


async def test_audio_that_cannot_be_deleted_holds_no_other_session_up(stack: Stack) -> None:
    stuck, other = [await spoken(stack, [number]) for number in (1, 2)]
    in_the_way = stack.folder / "audio" / f"{stuck}.s16le"
    (in_the_way / "file").mkdir(parents=True)
    assert await refusal(stack, stuck) == "AUDIO_STORE_FAILED"
    assert (await forget(stack, other)).remaining_row_count == 0
    (in_the_way / "file").rmdir()
    in_the_way.rmdir()
    answer = await forget(stack, stuck)  # it is gone on with, and answered when it is done
    assert (answer.remaining_row_count, answer.remaining_audio_bytes) == (0, 0)


async def large_session(journal: Journal, session_id: str, segment_count: int) -> None:
    await journal.write(start_session, session_id, gateway_pb2.SessionConfig(title=TITLE))
    await asyncio.gather(
        *(
            journal.write(
                append_transcript,
                session_id,
                types_pb2.Transcript(
                    segment_id=number, stable_text=f"{session_id} says {number} " * 40
                ),
                [],
                0,
                compared=False,
            )
            for number in range(1, segment_count + 1)
        )
    )
    await journal.write(end_session, session_id, gateway_pb2.END_REASON_FINISHED, 0)


def fill(journal_path: Path, segment_count: int) -> None:
    """A journal with one ended session, "sunday"."""

    async def begin() -> None:
        journal = Journal(journal_path, lambda events: None)
        await large_session(journal, "sunday", segment_count)
        journal.close()

    asyncio.run(begin())


def leave_half_deleted(journal_path: Path, session_id: str) -> None:
    """What a gateway leaves that is killed while it deletes."""

    async def begin() -> None:
        journal = Journal(journal_path, lambda events: None)
        await large_session(journal, session_id, 700)
        assert await journal.write(begin_forgetting, session_id, lambda _: 0) is None
        assert await journal.write(delete_piece, session_id)
        assert await journal.count_rows(session_id) > 100
        journal.close()

    asyncio.run(begin())


async def test_a_session_that_is_half_deleted_is_deleted_at_the_next_start(
    own_stack: StartStack, tmp_path: Path
) -> None:
    await asyncio.to_thread(leave_half_deleted, tmp_path / "journal.db", "sunday")
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "sunday.s16le").write_bytes(b"sunday says")
    stack = await own_stack()
    follow = stack.journal.Follow(gateway_pb2.FollowRequest(session_id="sunday"), timeout=30)
    while not (response := await follow.read()).event.HasField("session_forgotten"):
        pass
    assert response.event.session_forgotten.event_count == 702
    assert traces(tmp_path, [b"sunday says", TITLE.encode()]) == {}
    assert (await forget(stack, "sunday")).sequence == response.event.sequence


async def test_a_gateway_killed_in_the_middle_finishes_it(
    own_stack: StartStack, tmp_path: Path
) -> None:
    await asyncio.to_thread(fill, tmp_path / "journal.db", 5_000)
    stack = await own_stack()
    kept = await spoken(stack, [21])
    answering = asyncio.create_task(forget(stack, "sunday"))
    with closing(sqlite3.connect(tmp_path / "journal.db")) as disk:
        while not disk.execute("SELECT 1 FROM forgetting").fetchone():
            await asyncio.sleep(0)
        stack.gateway.kill()
        left = disk.execute("SELECT count(*) FROM events WHERE session_id = 'sunday'").fetchone()
    assert left > (0,)
    with pytest.raises(grpc.aio.AioRpcError):
        await answering
    stack.gateway.start()
    await stack.gateway.wait_ready()
    answer = await forget(stack, "sunday")
    assert (answer.event_count, answer.remaining_row_count) == (5_002, 0)
    assert traces(tmp_path, [b"sunday says", TITLE.encode()]) == {}
    assert said(await stack.events(kept)) == [sentence(21)]


async def test_others_write_on_while_a_large_session_is_forgotten(
    own_stack: StartStack, tmp_path: Path
) -> None:
    await asyncio.to_thread(fill, tmp_path / "journal.db", 10_000)
    stack = await own_stack()
    other = await spoken(stack, [81])
    forgetting = asyncio.create_task(forget(stack, "sunday"))
    loop = asyncio.get_running_loop()
    longest_s, count = 0.0, 0
    while not forgetting.done():
        begun_at = loop.time()
        await stack.calls.CorrectSegment(
            gateway_pb2.CorrectSegmentRequest(
                session_id=other, segment_id=1, language="es", text=f"Ochenta y {count}"
            )
        )
        longest_s, count = max(longest_s, loop.time() - begun_at), count + 1
    assert (await forgetting).event_count == 10_002
    assert traces(tmp_path, [b"sunday says", TITLE.encode()]) == {}
    print(f"{count} corrections meanwhile, the slowest took {longest_s:.3f} s")
    assert longest_s < 2.0


async def test_rows_that_sqlite_moved_leave_no_copies(tmp_path: Path) -> None:
    """Balancing its pages it copies rows; secure_delete zeroes them only where they are now."""
    draw = random.Random(0)
    journal = Journal(tmp_path / "journal.db", lambda events: None, "normal")
    session_ids = [f"day-{number}" for number in range(6)]
    for session_id in session_ids:
        await journal.write(start_session, session_id, gateway_pb2.SessionConfig())
    spoken_of = draw.sample(session_ids * 60, k=360)
    for first in range(0, 360, 5):  # a transaction of some rows each, as sessions side by side
        await asyncio.gather(
            *(
                journal.write(
                    append_transcript,
                    session_id,
                    types_pb2.Transcript(
                        segment_id=number + 1,
                        stable_text=f"secret of {session_id} " * draw.randint(3, 80),
                    ),
                    [],
                    0,
                    compared=False,
                )
                for number, session_id in enumerate(spoken_of[first : first + 5], first)
            )
        )
    for session_id in session_ids:
        await journal.write(end_session, session_id, gateway_pb2.END_REASON_FINISHED, 0)
    for session_id in draw.sample(session_ids, k=6):
        await journal.write(begin_forgetting, session_id, lambda _: 0)
        while await journal.write(delete_piece, session_id):
            pass
        await journal.rewrite()
        assert traces(tmp_path, [f"secret of {session_id}".encode()]) == {}
    await asyncio.to_thread(journal.close)


async def test_a_journal_that_others_read_is_waited_for(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", lambda events: None)
    await large_session(journal, "sunday", 10)
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        with pytest.raises(Unavailable) as failure:
            await journal.rewrite()
        assert failure.value.reason == "JOURNAL_BUSY"
    await journal.rewrite()
    assert (tmp_path / "journal.db-wal").stat().st_size == 0
    await asyncio.to_thread(journal.close)


async def test_a_large_journal_is_rewritten_only_while_no_session_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.forgetting._REWRITE_BESIDE_SESSIONS_BYTES", 1)
    seen: list[gateway_pb2.JournalEvent] = []
    journal = Journal(tmp_path / "journal.db", seen.extend)
    await large_session(journal, "sunday", 300)
    nothing_open = asyncio.Event()
    forgetting = Forgetting(
        journal, AudioStore(tmp_path / "audio"), lambda session_id: None, nothing_open
    )
    async with asyncio.timeout(30):
        running = asyncio.create_task(forgetting.run())
        answering = asyncio.create_task(forgetting.forget("sunday"))
        while await journal.count_rows("sunday") > 1:  # all is deleted but the row that says so
            await asyncio.sleep(0.01)
        assert traces(tmp_path, [b"sunday says"])
        assert not answering.done()
        nothing_open.set()
        assert (await answering).event_count == 302
        assert traces(tmp_path, [b"sunday says"]) == {}
        assert seen[-1].HasField("session_forgotten")
        again = asyncio.create_task(forgetting.forget("sunday"))
        assert (await again).sequence == seen[-1].sequence
        running.cancel()
        await asyncio.wait({running})
    await asyncio.to_thread(journal.close)


async def test_a_restarted_journal_counts_on_from_what_was_deleted(tmp_path: Path) -> None:
    """Followers have seen those sequences: they must not come again."""
    journal = Journal(tmp_path / "journal.db", lambda events: None)
    await large_session(journal, "sunday", 10)
    await journal.write(begin_forgetting, "sunday", lambda _: 0)
    while await journal.write(delete_piece, "sunday"):
        pass
    await journal.rewrite()
    last_sequence = journal.last_sequence
    await asyncio.to_thread(journal.close)
    journal = Journal(tmp_path / "journal.db", lambda events: None)
    assert journal.last_sequence == last_sequence == 12
    await asyncio.to_thread(journal.close)


async def test_old_audio_goes_and_the_texts_stay(own_stack: StartStack) -> None:
    stack = await own_stack(audio_retention_days=2 / 86_400)
    session_id = await spoken(stack, [91], store_audio=True)
    path = stack.folder / "audio" / f"{session_id}.s16le"
    async with asyncio.timeout(20):
        while path.exists():
            await asyncio.sleep(0.1)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await drained(
            stack.journal.FetchAudio(gateway_pb2.FetchAudioRequest(session_id=session_id))
        )
    assert reason_of(failure.value) == "AUDIO_NOT_STORED"
    assert "GLOSSA_GATEWAY_AUDIO_RETENTION_DAYS" in failure.value.details()
    assert said(await stack.events(session_id)) == [sentence(91)]
    (session,) = (await stack.calls.ListSessions(gateway_pb2.ListSessionsRequest())).sessions
    assert not session.store_audio
