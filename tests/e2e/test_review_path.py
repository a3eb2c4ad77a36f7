"""From speech to gold and to nothing: a person mends a pair, it is trained on, it is forgotten."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
import soundfile

from cli.client import CaptionSubscriber, Chunk, Closed
from glossa.collector.v1 import collector_pb2, collector_pb2_grpc
from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.audio import SAMPLE_RATE_HERTZ
from tests.collector.redis_contents import contents
from tests.e2e.stack import Display, UpStack, source, speak, texts
from tests.speech import Pcm, spoken, with_pauses

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

REVIEWER = "Ana"
TITLE = "Harvest evening in the chapel"
KEPT_SENTENCE = "The night was dark and the wind was very strong."
SENTENCES = (
    "The people came together in the morning to hear the word.",
    "He walked along the road with two of his friends.",
    "There is bread on the table for everyone who is hungry.",
)
# Words that nobody else says.
MENDED = {"en": "The lammergeier came in the morning.", "es": "El quebrantahuesos llegó temprano."}
SHOWN_WITHIN_S = 5.0
WAIT_S = 60.0
# Where the id of a forgotten session stays, in one event and in logs: docs/operations.md.
ID_STAYS_IN = ("gateway/journal.db", "logs/")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[UpStack]:
    stack = UpStack(tmp_path_factory.mktemp("stack"))
    await stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


class Reviewing:
    """A person with a client of the collector."""

    def __init__(self, channel: grpc.aio.Channel, session_id: str) -> None:
        self._calls = collector_pb2_grpc.CollectorServiceStub(channel)
        self._session_id = session_id

    async def until_waiting(self, count: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while (await self._progress()).open_count < count:
                await asyncio.sleep(0.1)

    async def until_decided(self, count: int) -> None:
        """The collector reads decisions in the journal."""
        async with asyncio.timeout(WAIT_S):
            while (await self._progress()).reviewed_count < count:
                await asyncio.sleep(0.1)

    async def lease(self) -> collector_pb2.ReviewItem:
        request = collector_pb2.LeaseReviewRequest(reviewer=REVIEWER, session_id=self._session_id)
        answer = await self._calls.LeaseReview(request, timeout=10)
        assert answer.HasField("item")
        return answer.item

    async def audio(self, pair_id: str) -> bytes:
        request = collector_pb2.FetchReviewAudioRequest(pair_id=pair_id)
        return b"".join([a.data async for a in self._calls.FetchReviewAudio(request, timeout=10)])

    async def decide(
        self, item: collector_pb2.ReviewItem, decision: types_pb2.Decision, **texts: str
    ) -> None:
        await self._calls.SubmitReview(
            collector_pb2.SubmitReviewRequest(
                lease_id=item.lease_id,
                decision=decision,
                source_text=texts.get("en", ""),
                target_text=texts.get("es", ""),
            ),
            timeout=20,
        )

    async def _progress(self) -> collector_pb2.ReviewProgress:
        request = collector_pb2.ListForReviewRequest(session_id=self._session_id, page_size=1)
        return (await self._calls.ListForReview(request, timeout=10)).progress


async def forgotten_on(stack: UpStack, session_id: str) -> None:
    async for event in CaptionSubscriber(stack.address("captions")).events():
        if event.session_id == session_id and event.HasField("session_forgotten"):
            return


def written(text: str) -> tuple[bytes, ...]:
    """The text as files may hold it."""
    return text.encode(), json.dumps(text)[1:-1].encode()


def files_holding(folder: Path, *needles: bytes) -> set[str]:
    """The files below `folder` in whose bytes, or in whose name, a needle stands."""
    found = set()
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        content = name.encode() + (path.read_bytes() if path.is_file() else b"")
        if any(needle in content for needle in needles):
            found.add(name)
    return found


def rows_of(dataset: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in dataset.glob("en-es/*.jsonl") for line in path.open("rb")]


def clips_of(dataset: Path) -> dict[str, Path]:
    """Pair id -> its sound."""
    metadata = dataset / "audio" / "en" / "train" / "metadata.jsonl"
    lines = [json.loads(line) for line in metadata.open("rb")] if metadata.exists() else []
    return {line["pair_id"]: metadata.parent / line["file_name"] for line in lines}


async def spoken_until(finish: asyncio.Event, pcm: Pcm) -> AsyncIterator[Chunk]:
    async for chunk in source(pcm):
        yield chunk
    await finish.wait()


async def test_a_mended_pair_is_shown_kept_once_trained_on_and_forgotten(stack: UpStack) -> None:
    display = Display(stack.address("captions"))
    async with asyncio.TaskGroup() as tasks, collector_channel(stack) as channel:
        watching = tasks.create_task(display.watch())
        kept = await speak(stack.speaker(speed=0), with_pauses(spoken(KEPT_SENTENCE)))
        (kept_pair,) = await accept_all(Reviewing(channel, kept.session_id), 1)

        closed, fixed, accepted = await mend_while_it_goes_on(stack, display, tasks, channel)
        session_id = closed.session_id
        watching.cancel()
        events = await stack.events(session_id)
        assert_the_journal_has(events, fixed, accepted)
        assert_redis_has_it_once(stack, session_id, fixed, accepted)

        dataset = stack.datasets / "sunday"
        await stack.verb("queue", "snapshot", "--audio", "--out", str(dataset))
        rows = {row["pair_id"]: row for row in rows_of(dataset)}
        assert set(rows) == {kept_pair, fixed, accepted}
        assert {language: rows[fixed][language] for language in MENDED} == MENDED
        clips = clips_of(dataset)
        assert set(clips) == {fixed, accepted}  # nobody agreed that the other one is kept
        assert all(soundfile.info(clip).samplerate == SAMPLE_RATE_HERTZ for clip in clips.values())
        assert all(soundfile.info(clip).format == "FLAC" for clip in clips.values())

        report = json.loads((await stack.verb("report", session_id, "--json")).splitlines()[-1])
        assert report["review"]["decisions"] == {
            "fixed": 1,
            "accepted": 1,
            "rejected": 1,
        }
        assert report["review"]["reviewers"] == {REVIEWER: len(SENTENCES)}
        (change,) = report["review"]["changes"]
        assert (change["pair_id"], change["target_after"]) == (fixed, MENDED["es"])

        said = [TITLE, *MENDED.values(), *texts(events, "transcript").values()]
        needles = [form for text in said for form in written(text)]
        folder = stack.datasets.parent
        places = {name.split("/")[0] for name in files_holding(folder, *needles)}
        assert places >= {"gateway", "redis", "datasets", "reports"}

        taken_away = tasks.create_task(forgotten_on(stack, session_id))
        await stack.verb("queue", "forget", session_id, "--yes")
        async with asyncio.timeout(WAIT_S):
            await taken_away
        assert not files_holding(folder, *needles)
        with_id = files_holding(folder, session_id.encode())
        assert {name for name in with_id if not name.startswith(ID_STAYS_IN)} == set()
        with stack.redis() as connection:  # its files may be compressed
            everything = str(contents(connection))
        assert not [text for text in (*said, session_id) if text in everything]
        assert kept.session_id in everything
        assert await stack.exported(session_id, "corrected", "moderate", "review") == []

        # What was said by others is still there.
        assert [row["pair_id"] for row in rows_of(dataset)] == [kept_pair]
        assert clips_of(dataset) == {}
        (line,) = await stack.exported(kept.session_id, "corrected")
        assert line["pair_id"] == kept_pair


def collector_channel(stack: UpStack) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(stack.address("collector"))


async def accept_all(reviewing: Reviewing, count: int) -> list[str]:
    """Waits for so many pairs and accepts them; their ids."""
    await reviewing.until_waiting(count)
    pair_ids = []
    for _ in range(count):
        item = await reviewing.lease()
        await reviewing.decide(item, types_pb2.DECISION_ACCEPTED)
        pair_ids.append(item.pair.pair_id)
    await reviewing.until_decided(count)
    return pair_ids


async def mend_while_it_goes_on(
    stack: UpStack, display: Display, tasks: asyncio.TaskGroup, channel: grpc.aio.Channel
) -> tuple[Closed, str, str]:
    """Fixes one pair, accepts another, rejects the third before the session ends.

    Returns:
        The session, and the ids of the first two pairs.
    """
    finish = asyncio.Event()
    sermon = with_pauses(*(spoken(sentence) for sentence in SENTENCES))
    speaker = stack.speaker(speed=0, title=TITLE, store_audio=True)
    speaking = tasks.create_task(speaker.stream(spoken_until(finish, sermon)))
    async with asyncio.timeout(WAIT_S):
        while not speaker.session_id:
            await asyncio.sleep(0.05)
    reviewing = Reviewing(channel, speaker.session_id)
    await reviewing.until_waiting(len(SENTENCES))

    item = await reviewing.lease()
    assert item.has_audio
    with wave.open(io.BytesIO(await reviewing.audio(item.pair.pair_id))) as audio:
        assert audio.getframerate() == SAMPLE_RATE_HERTZ
        heard_ms = 1000 * audio.getnframes() / SAMPLE_RATE_HERTZ
    assert heard_ms >= item.pair.end_offset_ms - item.pair.start_offset_ms
    await reviewing.decide(item, types_pb2.DECISION_FIXED, **MENDED)
    segment = item.pair.segment_id
    async with asyncio.timeout(SHOWN_WITHIN_S):
        while any(
            display.texts(speaker.session_id, language).get(segment) != text
            for language, text in MENDED.items()
        ):
            await asyncio.sleep(0.02)
    assert not speaking.done()
    accepted = await reviewing.lease()
    await reviewing.decide(accepted, types_pb2.DECISION_ACCEPTED)
    await reviewing.decide(await reviewing.lease(), types_pb2.DECISION_REJECTED)
    await reviewing.until_decided(len(SENTENCES))
    finish.set()
    return await speaking, item.pair.pair_id, accepted.pair.pair_id


def assert_the_journal_has(
    events: list[gateway_pb2.JournalEvent], fixed: str, accepted: str
) -> None:
    segment = segment_of(fixed)
    corrected = [event.correction for event in events if event.HasField("correction")]
    assert {each.language: each.text for each in corrected} == MENDED
    assert {each.segment_id for each in corrected} == {segment}
    reviews = [event.pair_reviewed for event in events if event.HasField("pair_reviewed")]
    assert [each.decision for each in reviews] == [
        types_pb2.DECISION_FIXED,
        types_pb2.DECISION_ACCEPTED,
        types_pb2.DECISION_REJECTED,
    ]
    assert [each.segment_id for each in reviews[:2]] == [segment, segment_of(accepted)]
    assert (reviews[0].source_text, reviews[0].target_text) == (MENDED["en"], MENDED["es"])
    machine = reviews[0].pair
    assert machine.transcript.stable_text == texts(events, "transcript")[segment]


def segment_of(pair_id: str) -> int:
    return int(pair_id.split("/")[1])


def assert_redis_has_it_once(stack: UpStack, session_id: str, fixed: str, accepted: str) -> None:
    entries = stack.queued(session_id, "corrected")
    assert [entry["decision"] for entry in entries] == ["fixed", "accepted", "rejected"]
    assert [entry["pair_id"] for entry in entries[:2]] == [fixed, accepted]
    assert (entries[0]["source_text"], entries[0]["target_text"]) == (MENDED["en"], MENDED["es"])
    assert entries[0]["reviewer"] == REVIEWER
    assert len(stack.queued_pair_ids(session_id)) == len(SENTENCES)
