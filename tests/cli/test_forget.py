"""`./glossa queue forget` against a real gateway, captions, collector and Redis."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import numpy as np
import pytest

from cli.queue_forget import without_repeated_sound
from cli.session_deletion import Known
from cli.traces import files_with, telling_pieces, written_forms
from glossa.collector.v1 import collector_pb2, collector_pb2_grpc
from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.settings import port
from tests.captions.displays import sessions
from tests.cli.verb import run_verb
from tests.collector.redis_process import RedisProcess
from tests.gateway.conftest import Stack, open_stream
from tests.gateway.peers import SPEECH_SAMPLES, sentence, sermon, voiced
from tests.processes import ServiceProcess, free_port_base
from tests.speech import Pcm
from training.rows import Row, write_rows
from training.run_folder import RunFolder

WAIT_S = 60.0


class WholeStack:
    """Everything that holds a session, in one state folder as `./glossa up` lays it out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.datasets = folder / "datasets"
        for name in ("gateway", "logs"):
            (folder / name).mkdir()
        base = free_port_base()
        self.gateway = Stack(folder / "gateway")
        self.redis = RedisProcess(port("redis", base), folder / "redis")
        self.collector = ServiceProcess(
            "collector",
            base,
            folder / "logs",
            redis_url=self.redis.url,
            gateway_address=self.gateway.gateway.address,
            web_port=port("collector_web", base),
            queue_check_interval_s=0.3,
        )
        self.captions = ServiceProcess(
            "captions",
            base,
            folder / "logs",
            upstream_address=self.gateway.gateway.address,
            web_port=port("captions_web", base),
        )

    async def start(self) -> None:
        self.redis.start()
        await self.gateway.start()
        for service in (self.collector, self.captions):
            service.start()
        await asyncio.gather(self.collector.wait_ready(), self.captions.wait_ready())
        services = (self.gateway.gateway, self.collector, self.captions)
        description = {
            "pid": os.getpid(),
            "state_dir": str(self.folder),
            "addresses": {service.name: service.address for service in services},
        }
        (self.folder / "stack.json").write_text(json.dumps(description))

    async def stop(self) -> None:
        for service in (self.captions, self.collector):
            service.kill()
        await self.gateway.stop()
        self.redis.kill()

    async def spoken(self, numbers: list[int], pcm: Pcm | None = None, **config: object) -> str:
        """A session of which everything is collected; `pcm` in place of the plainest sound."""
        session_id = await self.gateway.speak(sermon(numbers) if pcm is None else pcm, **config)
        await self.gateway.scored_events(session_id, len(numbers))
        async with (
            asyncio.timeout(WAIT_S),
            grpc.aio.insecure_channel(self.collector.address) as channel,
        ):
            stub = collector_pb2_grpc.CollectorServiceStub(channel)
            request = collector_pb2.StatsRequest(session_id=session_id)
            while sum(c.pair_count for c in (await stub.Stats(request)).counts) < len(numbers):
                await asyncio.sleep(0.05)
        return session_id

    async def forget(
        self, session_id: str, *options: str, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            run_verb,
            *("queue", "forget", session_id, *options),
            stdin=stdin,
            GLOSSA_STATE_DIR=str(self.folder),
            GLOSSA_DATASETS_DIR=str(self.datasets),
        )


StartStack = Callable[[], Awaitable[WholeStack]]


@pytest.fixture
async def start_stack(tmp_path: Path) -> AsyncIterator[StartStack]:
    stacks = []

    async def start() -> WholeStack:
        stacks.append(WholeStack(tmp_path))
        await stacks[-1].start()
        return stacks[-1]

    yield start
    for stack in stacks:
        await stack.stop()


def places_of(outcome: subprocess.CompletedProcess[str]) -> dict[str, dict]:
    return {place["name"]: place for place in json.loads(outcome.stdout.splitlines()[-1])["places"]}


async def test_a_session_is_gone_everywhere_and_another_is_whole(start_stack: StartStack) -> None:
    stack = await start_stack()
    kept = await stack.spoken([21, 22])
    gone = await stack.spoken([31, 32, 33], title="Harvest evening in the chapel", store_audio=True)
    await stack.gateway.calls.ReviewPair(
        gateway_pb2.ReviewPairRequest(
            session_id=gone,
            segment_id=1,
            language="es",
            decision=types_pb2.DECISION_FIXED,
            target_text="Se dijo la frase treinta y uno",
            review_id="r-1",
        )
    )
    needles = [sentence(number).encode() for number in (31, 32, 33)]
    async with asyncio.timeout(WAIT_S):  # the decision is written to Redis, too
        while {path.parent.name for path in files_with(needles, stack.folder)} != {
            "gateway",
            "appendonlydir",
        }:
            await asyncio.sleep(0.05)

    with RunFolder(stack.folder / "training/mix", "mix", {}) as mix:
        said = ((sentence(31), gone), (sentence(21), kept))
        rows = (Row(text, "Se dijo.", "sermon", "test", session) for text, session in said)
        write_rows(mix.path / "train.jsonl", rows)

    outcome = await stack.forget(gone, "--yes", "--json")
    assert outcome.returncode == 0, outcome.stderr + outcome.stdout
    places = places_of(outcome)
    assert {name: place["found"] for name, place in places.items()} == dict.fromkeys(
        ("journal", "audio", "captions", "queues", "datasets", "training", "files"), 0
    )
    assert places["training"]["removed"] == "1 row"
    assert files_with(needles, stack.folder) == []
    assert [each.session_id for each in await sessions(stack.captions.address)] == [kept]
    assert files_with([sentence(21).encode()], stack.folder)

    again = await stack.forget(gone, "--yes", "--json")
    assert places_of(again)["journal"] == places["journal"]
    assert (again.returncode, places_of(again)["files"]["found"]) == (0, None)


async def test_the_sound_is_searched_for_however_short_the_last_sentence(
    start_stack: StartStack,
) -> None:
    stack = await start_stack()
    long_sentence, rest = np.full(2 * SPEECH_SAMPLES, 61, dtype=np.int16), sermon([62])
    pcm = voiced(np.concatenate([long_sentence, np.zeros_like(long_sentence), rest]))
    session_id = await stack.spoken([61, 62], pcm, store_audio=True)
    copy = stack.datasets / "clip.s16le"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(pcm[: len(long_sentence)].tobytes())
    outcome = await stack.forget(session_id, "--yes", "--json")
    places = places_of(outcome)
    assert str(copy) in places["datasets"]["note"]
    assert "sound" not in places["files"]["removed"] + places["files"]["note"]


async def test_sound_that_cannot_be_searched_for_is_told(start_stack: StartStack) -> None:
    stack = await start_stack()
    session_id = await stack.spoken([65], store_audio=True)  # one value: silent, as it were
    outcome = await stack.forget(session_id, "--yes")
    assert outcome.returncode == 0, outcome.stderr + outcome.stdout
    assert "searched for, none of the sound" in outcome.stdout
    assert "the sound could not be searched for" in outcome.stdout


async def test_it_asks_first_and_says_what_it_is_about(start_stack: StartStack) -> None:
    stack = await start_stack()
    session_id = await stack.spoken([41], title="Harvest", store_audio=True)
    refused = await stack.forget(session_id, stdin="n\n")
    assert refused.returncode == 1
    assert re.search(
        r"Harvest, \d{4}-\d\d-\d\d \d\d:\d\d UTC: 1 final, \d pairs?; its audio is kept",
        refused.stderr,
    )
    assert "nothing was deleted" in refused.stderr
    unclear = await stack.forget(session_id, stdin="perhaps\nn\n")
    assert "type y to delete it, or n to keep it" in unclear.stderr
    assert unclear.stderr.count("for ever?") == 2
    assert "nothing was deleted" in unclear.stderr
    silent = await stack.forget(session_id)
    assert silent.returncode == 2
    assert "--yes" in silent.stderr
    assert len(await stack.gateway.events(session_id)) > 1
    agreed = await stack.forget("last", stdin="y\n")
    assert agreed.returncode == 0, agreed.stderr + agreed.stdout
    assert "still found" in agreed.stdout


async def test_ctrl_c_at_the_question_ends_it_at_once(start_stack: StartStack) -> None:
    stack = await start_stack()
    session_id = await stack.spoken([45])
    terminal, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "queue", "forget", session_id),
        env={**os.environ, "GLOSSA_STATE_DIR": str(stack.folder)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    try:
        async with asyncio.timeout(WAIT_S):
            while b"for ever?" not in shown:
                shown += await asyncio.to_thread(os.read, terminal, 1024)
            process.send_signal(signal.SIGINT)  # what the terminal makes of Ctrl-C
            status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(terminal)
    assert status == 1
    assert len(await stack.gateway.events(session_id)) > 1


async def test_what_is_still_found_is_said_and_is_a_failure(
    start_stack: StartStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = await start_stack()
    session_id = await stack.spoken([51])
    copy = stack.datasets / "copied.txt"
    copy.parent.mkdir(parents=True)
    copy.write_text(f"somebody noted: {sentence(51)}")
    outcome = await stack.forget(session_id, "--yes")
    assert outcome.returncode == 1
    assert f"datasets: {copy}" in outcome.stdout


async def test_a_dataset_that_cannot_be_read_stops_no_other_place(
    start_stack: StartStack,
) -> None:
    stack = await start_stack()
    session_id = await stack.spoken([52])
    broken = stack.datasets / "broken" / "manifest.json"
    broken.parent.mkdir(parents=True)
    broken.write_text('{"schema": "glossa-')
    outcome = await stack.forget(session_id, "--yes", "--json")
    assert outcome.returncode == 1
    places = places_of(outcome)
    assert places["datasets"]["found"] is None
    assert str(broken) in places["datasets"]["note"]
    assert (places["training"]["found"], places["files"]["found"]) == (0, 0)


async def test_wrong_sessions_are_refused_with_what_to_do(start_stack: StartStack) -> None:
    stack = await start_stack()
    call = stack.gateway.calls.StreamAudio(timeout=60)
    session_id = (await open_stream(call, title="Sunday")).session_id
    unknown = await stack.forget("nobody", "--yes")
    assert unknown.returncode == 1
    assert f"there is no session 'nobody'; the newest are {session_id} (Sunday)" in unknown.stderr
    still_open = await stack.forget(session_id)
    assert still_open.returncode == 1
    assert "is still open: end it first, with Ctrl-C in the `live`" in still_open.stderr
    assert "for ever?" not in still_open.stderr
    call.cancel()


def test_without_services_it_says_how_to_start_them() -> None:
    base = free_port_base()
    options = [
        f"--{name}=127.0.0.1:{port(name, base)}" for name in ("gateway", "captions", "collector")
    ]
    outcome = run_verb("queue", "forget", "sunday", "--yes", *options)
    assert outcome.returncode == 1
    gateway = f"127.0.0.1:{port('gateway', base)}"
    assert outcome.stderr.splitlines()[-1] == (
        f"Error: no gateway answers at {gateway}; start the services with `./glossa up`, or name "
        "another one with --gateway HOST:PORT; if they run with certificates, set "
        "GLOSSA_CERTIFICATES_DIR here, too"
    )


def test_what_is_searched_for_stands_in_no_other_session() -> None:
    shared = "We say this every Sunday morning"
    own = "This was said in the chapel alone, and it is a long sentence that nobody repeats"
    pieces = telling_pieces([shared, own, "Amen."], [f"Again: {shared}."])
    assert len(pieces) == 1
    assert pieces[0] in own


def test_the_sound_of_a_recording_that_was_fed_twice_is_not_searched_for(tmp_path: Path) -> None:
    sound, text = bytes(range(100)), b"said once"
    known = Known("first", "", None, 1, True, 1, (text,), sound)
    audio = tmp_path / "gateway" / "audio"
    audio.mkdir(parents=True)
    (audio / "first.s16le").write_bytes(sound)
    assert without_repeated_sound(known, tmp_path) == known
    (audio / "second.s16le").write_bytes(b"\0" * 50 + sound)
    assert without_repeated_sound(known, tmp_path).needles == (text,)


def test_a_text_is_found_however_it_was_written(tmp_path: Path) -> None:
    piece = 'él dijo "paz & gracia"'
    needles = sorted(written_forms(piece))
    (tmp_path / "plain").write_text(f"… {piece} …")
    (tmp_path / "lines.jsonl").write_text(json.dumps({"es": piece}))
    (tmp_path / "page.html").write_text("él dijo &quot;paz &amp; gracia&quot;")
    (tmp_path / "other").write_text("paz y gracia")
    (tmp_path / "empty").touch()
    found = files_with(needles, tmp_path, left_out=[tmp_path / "plain"])
    assert [path.name for path in found] == ["lines.jsonl", "page.html"]
