"""`./glossa export` from a real gateway's journal, with nothing else running."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from glossa.gateway.v1 import gateway_pb2
from tests.captions.subtitle_files import read_subtitles
from tests.captions.test_transcripts import say_with_words
from tests.captions.upstream import ScriptedJournal
from tests.cli.verb import run_verb
from tests.gateway.conftest import Stack
from tests.gateway.peers import sermon
from tests.processes import free_port_base

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A gateway that heard two sessions; in the later one people changed something."""
    stack = Stack(tmp_path_factory.mktemp("gateway"))
    await stack.start()
    await stack.speak(sermon([7]), title="Last week")
    session_id = await stack.speak(sermon([1, 2, 3]), title="This week")
    await stack.scored_events(session_id, 3)
    await stack.calls.CorrectSegment(
        gateway_pb2.CorrectSegmentRequest(
            session_id=session_id, segment_id=1, language="es", text="Corregida", author="Ana"
        )
    )
    await stack.calls.HideSegment(
        gateway_pb2.HideSegmentRequest(
            session_id=session_id, segment_id=2, is_hidden=True, author="Ana"
        )
    )
    yield stack
    await stack.stop()


async def export(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    gateway = ("--gateway", stack.gateway.address)
    return await asyncio.to_thread(run_verb, "export", *arguments, *gateway)


async def test_the_last_session_goes_to_stdout_as_people_left_it(stack: Stack) -> None:
    done = await export(stack, "last")
    assert (done.returncode, done.stderr) == (0, "")
    assert [each.lines for each in read_subtitles(done.stdout, "vtt")] == [
        ("Corregida",),
        ("[es] Sentence 3 was said",),
    ]
    both = await export(stack, "last", "--format", "txt", "--language", "es", "--second", "en")
    assert both.stdout.split("\n\n")[1:] == [
        "Corregida\nSentence 1 was said",
        "[es] Sentence 3 was said\nSentence 3 was said\n",
    ]


async def test_sessions_are_listed_and_each_can_be_named(stack: Stack) -> None:
    listed = await export(stack)
    assert listed.returncode == 0
    assert "Last week" in listed.stdout
    rows = [line for line in listed.stdout.splitlines() if "Last week" in line]
    session_id = rows[0].replace("│", " ").split()[0]
    done = await export(stack, session_id, "--format", "json")
    exported = json.loads(done.stdout)
    assert exported["session"]["session_id"] == session_id
    assert exported["session"]["title"] == "Last week"
    assert [each["texts"][0]["text"] for each in exported["segments"]] == ["Sentence 7 was said"]


async def test_the_format_follows_the_name_of_the_file(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "sunday.en.srt"
    done = await export(stack, "last", "--language", "en", "--offset", "0:10", "--out", str(path))
    assert (done.returncode, done.stdout) == (0, "")
    assert f"2 sentences written to {path}" in done.stderr
    first, third = read_subtitles(path.read_text(), "srt")
    assert (first.start_ms, first.lines) == (10_000, ("Sentence 1 was said",))
    assert third.lines == ("Sentence 3 was said",)


async def test_what_is_wrong_is_said_in_one_line(stack: Stack) -> None:
    for arguments, status, message in (
        (("last", "--language", "de"), 1, "this session has captions in en, es"),
        (("last", "--words", "--format", "srt"), 2, "ask for vtt or json"),
        (("last", "--words", "--language", "es"), 2, "known in en alone"),
        (("last", "--offset", "soon"), 2, "[-]h:m:s or seconds"),
        (("last", "--format", "pdf"), 2, "'pdf' is not one of"),
        (("nobody",), 1, "UNKNOWN_SESSION"),
        (("",), 1, "UNKNOWN_SESSION"),
    ):
        done = await export(stack, *arguments)
        assert done.returncode == status, (arguments, done.stderr)
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    away = await asyncio.to_thread(run_verb, "export", "last", "--gateway", "127.0.0.1:9")
    assert away.returncode == 1
    assert "no gateway answers at 127.0.0.1:9; start the services" in away.stderr


async def test_a_forgotten_session_is_not_exported(stack: Stack) -> None:
    session_id = await stack.speak(sermon([5]), title="Secret")
    await stack.scored_events(session_id, 1)
    assert "Sentence 5" in (await export(stack, session_id)).stdout
    await stack.calls.ForgetSession(gateway_pb2.ForgetSessionRequest(session_id=session_id))
    done = await export(stack, session_id)
    assert (done.returncode, done.stdout) == (1, "")
    assert "UNKNOWN_SESSION" in done.stderr


async def test_a_caption_file_for_a_livestream_has_the_times_of_words(tmp_path: Path) -> None:
    journal = ScriptedJournal()
    address = f"127.0.0.1:{free_port_base()}"
    await journal.serve(address)
    journal.start_session()
    say_with_words(journal, 1, "Grace to you")
    path = tmp_path / "sunday.en.vtt"
    arguments = ("export", "sunday", "--words", "--offset", "-3.5", "--gateway", address)
    done = await asyncio.to_thread(run_verb, *arguments, "--out", str(path))
    await journal.stop()
    assert done.returncode == 0, done.stderr
    assert path.read_text() == (
        "WEBVTT\n\n1\n00:00:00.500 --> 00:00:03.500\nGrace <00:00:01.000>to <00:00:01.500>you\n"
    )
