"""`./glossa review` as a person at a terminal, and as a program, would use it."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from tests.cli.verb import run_verb
from tests.collector.review_stack import ReviewStack, translated
from tests.gateway.peers import sentence
from tests.processes import REPOSITORY

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ReviewStack]:
    stack = ReviewStack(tmp_path_factory.mktemp("review"), review_lease_s=3)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()


async def glossa_review(
    stack: ReviewStack, *arguments: str | Path, typed: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs the verb with what a person types, a key or a text a line."""
    return await asyncio.to_thread(
        run_verb,
        *("review", *map(str, arguments)),
        stdin=typed,
        GLOSSA_COLLECTOR_ADDRESS=stack.collector.address,
        COLUMNS="200",
        **environment,
    )


async def test_it_lists_what_waits(stack: ReviewStack) -> None:
    session_id = await stack.preach(2)
    done = await glossa_review(stack, "--session", session_id, "--list")
    assert done.returncode == 0, done.stderr
    assert f"{session_id}/1/es" in done.stdout
    assert "0 of 2 reviewed" in done.stdout
    done = await glossa_review(stack, "--session", session_id, "--list", "--json")
    listed = json.loads(done.stdout)
    assert listed["open"] == 2
    assert {item["pair_id"] for item in listed["items"]} == {
        f"{session_id}/{number}/es" for number in (1, 2)
    }
    assert all(item["reasons"] for item in listed["items"])


async def test_a_sitting_accepts_fixes_rejects_and_ends(stack: ReviewStack) -> None:
    session_id = await stack.preach(4)
    done = await glossa_review(
        *(stack, "--session", session_id, "--reviewer", "Ana", "--json"),
        typed="a\ne\nSe dijo bien\na\nr\ns\n?\ns\nq\n",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "accepted": 1,
        "fixed": 1,
        "rejected": 1,
        "skipped": 2,
        "undone": 0,
    }
    assert translated(sentence(1)) in done.stderr
    assert "Se dijo bien  (changed)" in done.stderr
    assert "3 of 4 reviewed" in done.stderr
    await stack.until_reviewed(session_id, 3)
    decisions = [entry["decision"] for entry in stack.corrected(session_id)]
    assert decisions == ["accepted", "fixed", "rejected"]
    assert {entry["reviewer"] for entry in stack.corrected(session_id)} == {"Ana"}
    assert (await stack.progress(session_id)).leased_count == 0  # what was open was given back


async def test_undo_shows_the_pair_again(stack: ReviewStack) -> None:
    session_id = await stack.preach(1)
    done = await glossa_review(
        stack, "--session", session_id, "--reviewer", "Una", typed="s\no\nIt was said\nu\na\n"
    )
    assert "Una has made no decision" in done.stderr
    assert "nothing is left" in done.stderr
    await stack.until_reviewed(session_id, 1)
    done = await glossa_review(stack, "--reviewer", "Una", "--session", session_id, typed="u\nr\n")
    assert "1 undone" in done.stderr
    await stack.until_reviewed(session_id, 1)
    decisions = [entry["decision"] for entry in stack.corrected(session_id)]
    assert decisions == ["fixed", "withdrawn", "rejected"]


async def test_changes_are_taken_back(stack: ReviewStack) -> None:
    session_id = await stack.preach(1)
    done = await glossa_review(
        stack, "--session", session_id, typed="e\nOtra cosa\no\nSomething else\nz\na\nq\n"
    )
    assert "Otra cosa  (changed)" in done.stderr
    assert "1 accepted, 0 fixed" in done.stderr
    await stack.until_reviewed(session_id, 1)
    assert stack.corrected(session_id)[0]["target_text"] == translated(sentence(1))


async def test_the_end_of_the_input_gives_the_pair_back(stack: ReviewStack) -> None:
    session_id = await stack.preach(1)
    done = await glossa_review(stack, "--session", session_id, typed="")
    assert done.returncode == 0
    assert (await stack.progress(session_id)).leased_count == 0


async def test_a_text_is_kept_while_the_gateway_is_away(stack: ReviewStack) -> None:
    session_id = await stack.preach(1)
    sitting = Sitting(stack, "--session", session_id, "--reviewer", "Ana")
    try:
        await sitting.shows("fue dicha")
        stack.gateway.gateway.kill()
        sitting.type("e")
        await sitting.shows("es> ")
        sitting.type("\x15La frase nueva\n")  # Ctrl-U empties the line
        await sitting.shows(r"La frase nueva  \(changed\)")
        sitting.type("a")
        await sitting.shows("nothing is lost")
        stack.gateway.gateway.start()
        await stack.gateway.gateway.wait_ready()
        async with asyncio.timeout(30):
            while not sitting.has_shown("nothing is left"):
                sitting.type("a")
                await asyncio.sleep(0.2)
        sitting.type("q")
        assert sitting.wait() == 0
    finally:
        sitting.kill()
    await stack.until_reviewed(session_id, 1)
    assert stack.corrected(session_id)[0]["target_text"] == "La frase nueva"


async def test_a_pair_stays_ones_own_for_as_long_as_it_is_open_and_ctrl_c_gives_it_back(
    stack: ReviewStack,
) -> None:
    session_id = await stack.preach(1)
    sitting = Sitting(stack, "--session", session_id, "--reviewer", "Ana")
    try:
        await sitting.shows(session_id)
        started = time.monotonic()
        while time.monotonic() - started < 4.5:  # leases last 3 s here
            assert not (await stack.lease("Ben", session_id)).HasField("item")
            await asyncio.sleep(0.1)
        os.kill(sitting.pid, signal.SIGINT)  # what a terminal makes of Ctrl-C
        assert sitting.wait() == 0
    finally:
        sitting.kill()
    assert (await stack.lease("Ben", session_id)).HasField("item")


async def test_an_arrow_key_decides_nothing_and_keys_typed_ahead_count(
    stack: ReviewStack,
) -> None:
    session_id = await stack.preach(3)
    sitting = Sitting(stack, "--session", session_id, "--reviewer", "Ana", "--json")
    try:
        await sitting.shows("fue dicha")
        sitting.type("\x1b[A")  # up: its last character is an A
        await sitting.shows("quit.*quit")  # the keys, told once more
        sitting.type("arsq")
        await sitting.shows('"accepted": 1, "fixed": 0, "rejected": 1, "skipped": 1')
        assert sitting.wait() == 0
    finally:
        sitting.kill()


async def test_a_pair_that_was_lost_says_so_and_keeps_what_was_typed(stack: ReviewStack) -> None:
    session_id = await stack.preach(1)
    sitting = Sitting(stack, "--session", session_id, "--reviewer", "Ana")
    try:
        await sitting.shows(session_id)
        sitting.type("o")
        await sitting.shows("en> ")
        sitting.type(" indeed\n")
        await sitting.shows("indeed  .changed")
        os.kill(sitting.pid, signal.SIGSTOP)  # the lid is closed
        async with asyncio.timeout(20):
            while not (item := (await stack.lease("Ben", session_id)).item).lease_id:
                await asyncio.sleep(0.1)
        await stack.submit(item.lease_id, types_pb2.DECISION_ACCEPTED)
        os.kill(sitting.pid, signal.SIGCONT)
        sitting.type("a")
        await sitting.shows("not yours any more")
        await sitting.shows("your en: .* indeed")
        await sitting.shows("nothing is left")
        sitting.type("q")
        assert sitting.wait() == 0
    finally:
        sitting.kill()


async def test_a_fix_leaves_what_a_moderator_changed_meanwhile_in_the_other_text(
    stack: ReviewStack,
) -> None:
    session_id = await stack.preach(1)
    sitting = Sitting(stack, "--session", session_id, "--reviewer", "Ana")
    try:
        await sitting.shows(session_id)
        sitting.type("o")
        await sitting.shows("en> ")
        sitting.type("\x15It was put right\n")
        await sitting.shows(r"It was put right  \(changed\)")
        await stack.gateway.calls.CorrectSegment(
            gateway_pb2.CorrectSegmentRequest(
                session_id=session_id, segment_id=1, language="es", text="Corregido", author="Mo"
            ),
            timeout=10,
        )
        async with asyncio.timeout(30):
            while not sitting.has_shown("nothing is left"):
                sitting.type("a")  # refused until the collector has read the correction
                await asyncio.sleep(0.2)
        assert sitting.has_shown("changed meanwhile, es: Corregido")
    finally:
        sitting.kill()
    await stack.until_reviewed(session_id, 1)
    (entry,) = stack.corrected(session_id)
    assert (entry["source_text"], entry["target_text"]) == ("It was put right", "Corregido")


async def test_audio_is_played_by_what_is_installed(stack: ReviewStack, tmp_path: Path) -> None:
    session_id = await stack.preach(1, store_audio=True)
    played = tmp_path / "played.wav"
    player = tmp_path / "aplay"
    player.write_text(f'#!/bin/sh\n/bin/cp "$2" {played}.part && /bin/mv {played}.part {played}\n')
    player.chmod(player.stat().st_mode | stat.S_IXUSR)
    sitting = Sitting(stack, "--session", session_id, PATH=str(tmp_path))
    try:
        await sitting.shows("audio: p")
        sitting.type("p")
        async with asyncio.timeout(20):
            while not played.exists():
                await asyncio.sleep(0.05)
        sitting.type("q")
        assert sitting.wait() == 0
    finally:
        sitting.kill()
    assert played.read_bytes()[:4] == b"RIFF"
    done = await glossa_review(
        stack, "--session", session_id, typed="p\nq\n", PATH=str(tmp_path / "nothing")
    )
    assert "install ffmpeg" in done.stderr


async def test_what_was_said_does_not_steer_the_terminal(stack: ReviewStack) -> None:
    session_id = await stack.preach(1)
    await stack.gateway.calls.CorrectSegment(
        gateway_pb2.CorrectSegmentRequest(
            session_id=session_id,
            segment_id=1,
            language="es",
            text="\x1b]0;owned\x07\x1b[2J[red]dicho",
            author="Mo",
        ),
        timeout=10,
    )
    async with asyncio.timeout(30):
        while True:
            listed = await glossa_review(stack, "--session", session_id, "--list")
            if "dicho" in listed.stdout:
                break
    sat = await glossa_review(stack, "--session", session_id, typed="q\n")
    for shown in (listed.stdout, sat.stderr):
        assert "[red]dicho" in shown
        assert "\x1b" not in shown
        assert "\x07" not in shown


async def test_without_a_collector_it_says_what_to_do() -> None:
    done = await asyncio.to_thread(
        run_verb, "review", "--list", GLOSSA_COLLECTOR_ADDRESS="127.0.0.1:9"
    )
    assert done.returncode == 1
    assert "./glossa up" in done.stderr
    assert "Traceback" not in done.stderr


class Sitting:
    """`./glossa review` on a terminal of its own."""

    def __init__(self, stack: ReviewStack, *arguments: str, **environment: str) -> None:
        self._terminal, theirs = pty.openpty()
        self._shown = ""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "cli", "review", *arguments],
            cwd=REPOSITORY,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("GLOSSA_")},
                "GLOSSA_STATE_DIR": "/nonexistent",
                "GLOSSA_COLLECTOR_ADDRESS": stack.collector.address,
                "COLUMNS": "200",
                "TERM": "xterm",
                **environment,
            },
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    @property
    def pid(self) -> int:
        return self._process.pid

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def has_shown(self, pattern: str) -> bool:
        while select.select([self._terminal], [], [], 0)[0]:
            try:
                piece = os.read(self._terminal, 65536)
            except OSError:  # it has ended
                break
            self._shown += piece.decode(errors="replace")
        shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self._shown)
        return re.search(pattern, shown, re.DOTALL) is not None

    async def shows(self, pattern: str) -> None:
        try:
            async with asyncio.timeout(30):
                while not self.has_shown(pattern):
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise AssertionError(f"no {pattern!r} in: {self._shown}") from error

    def wait(self) -> int:
        deadline = time.monotonic() + 20
        while self._process.poll() is None and time.monotonic() < deadline:
            self.has_shown("")  # a full terminal would hold it up
            time.sleep(0.02)
        assert self._process.returncode is not None, self._shown
        return self._process.returncode

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._terminal)
