"""Many displays at once: each gets everything in order, whatever the others do."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import grpc
import pytest

from services.errors import reason_of
from tests.captions.browsers import TRANSPORTS, RefusedError, displayed
from tests.captions.conftest import StartCaptions
from tests.captions.counters import counted, until_counted
from tests.captions.displays import Display, subscribed
from tests.captions.upstream import ScriptedJournal, final, partial

_LONG = "palabra " * 1000  # 8 kB
_CUTS = 'glossa_captions_cuts_total{reason="SLOW_CONSUMER"}'


def speak(journal: ScriptedJournal, rng: random.Random, first: int, count: int) -> list[int]:
    """A final with up to four partials before it, `count` times; the finals' sequences."""
    sequences = []
    for segment_id in range(first, first + count):
        for revision in range(1, rng.randint(1, 5)):
            journal.live(
                transcript=partial(segment_id, revision, _LONG[: rng.randint(1, 8000)], "x")
            )
        sequences.append(journal.append("sunday", transcript=final(segment_id, _LONG)))
    return sequences


def check_order(display: Display) -> None:
    """Sequences only grow; a partial comes neither after a newer one nor after its final."""
    assert display.sequences == sorted(set(display.sequences))
    newest: dict[int, int] = {}
    for event in display.events:
        if event.HasField("caption"):
            known = newest.get(event.caption.segment_id, 0)
            assert event.caption.revision > known
            newest[event.caption.segment_id] = event.caption.revision


def stalled(service_web: str, path: str) -> socket.socket:
    """A phone that asked and then fell asleep: it reads nothing, and its buffer is small."""
    host, _, number = service_web.removeprefix("http://").partition(":")
    phone = socket.socket()
    phone.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    phone.connect((host, int(number)))
    upgrade = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    phone.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{upgrade}\r\n".encode())
    assert phone.recv(12)
    return phone


def read_to_the_end(phone: socket.socket) -> None:
    """What a phone does that wakes up; a service that forgot it would let it wait for ever."""
    phone.settimeout(15)
    with contextlib.suppress(ConnectionResetError):
        while phone.recv(2**20):
            pass


@pytest.mark.parametrize("path", ["/ws", "/events"])
async def test_one_stalled_phone_does_not_keep_anything_from_the_others(
    journal: ScriptedJournal, start_captions: StartCaptions, path: str
) -> None:
    journal.start_session()
    # The phone is cut because too much waits for it, never because of the time that it takes.
    service = await start_captions(write_timeout_s=600, viewer_queue_events=100)
    with stalled(service.web, path) as phone:
        async with (
            displayed(service, "websocket") as one,
            displayed(service, "sse") as another,
        ):
            await one.until_caught_up()
            await another.until_caught_up()
            sent = []
            for first in range(1, 1000, 50):
                sent += speak(journal, random.Random(first), first, 50)
                for display in (one, another):
                    await display.until_sequence(sent[-1])
            for display in (one, another):
                assert display.sequences[1:] == sent
                check_order(display)
            await until_counted(service.http_address, _CUTS)
            await asyncio.to_thread(read_to_the_end, phone)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("seed", [1, 2])
async def test_no_final_is_lost_or_out_of_order_when_a_display_stops_is_cut_and_resumes(
    journal: ScriptedJournal, start_captions: StartCaptions, transport: str, seed: int
) -> None:
    """Reads at once, later, or falls asleep, so that events go out directly, wait or are cut."""
    rng = random.Random(seed)
    journal.start_session()
    service = await start_captions(viewer_queue_events=rng.randint(20, 100), write_timeout_s=600)
    sent: list[int] = []
    got: list[int] = []
    cuts: list[str] = []

    async def fall_asleep() -> None:
        # Speaks no faster than the service takes it, however busy the machine is.
        last = journal.events[-1].sequence
        async with asyncio.timeout(60), subscribed(service.address, after_sequence=last) as awake:
            while await counted(service.http_address, _CUTS) <= len(cuts):
                sent.extend(speak(journal, rng, len(sent) + 1, 50))
                await awake.until_sequence(sent[-1])

    while not cuts or len(sent) < 600 or got[-1] < sent[-1]:
        after_sequence = got[-1] if got else 0
        async with displayed(service, transport, after_sequence=after_sequence) as display:
            try:
                await display.until_caught_up()
                for _ in range(rng.randint(1, 100)):
                    sent += speak(journal, rng, len(sent) + 1, rng.randint(1, 5))
                    if rng.random() < 0.7:
                        await display.until_sequence(sent[-1])
                for falls_asleep in (len(cuts) < 2, False):
                    if sent[-1] not in display.sequences:
                        await display.until_sequence(sent[-1])
                    if falls_asleep:
                        await fall_asleep()
            except grpc.aio.AioRpcError as error:
                cuts.append(reason_of(error))
            except RefusedError as error:
                cuts.append(str(error))
            check_order(display)
            got += display.sequences
    assert got[1:] == sent
    assert set(cuts) <= {"SLOW_CONSUMER", "CUT_OFF"}


async def test_a_line_of_any_length_arrives_whole_and_what_follows_it_too(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    """A WebSocket frame says its length in 7, in 16 or in 64 bits; a chunk in hexadecimal."""
    journal.start_session()
    service = await start_captions()
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{service.web}/ws") as socket:
        journal.append("sunday", transcript=final(1, ""))
        frame = ""
        while '"caption"' not in frame:
            frame = await asyncio.wait_for(socket.receive_str(), 15)
        rest = len(frame)  # of a frame beside its text
    texts = ["a" * (length - rest) for length in (65_534, 65_535, 65_536, 65_537, 400_000)]
    async with displayed(service, "websocket") as one, displayed(service, "sse") as another:
        await one.until_caught_up()
        await another.until_caught_up()
        for text in texts:
            last = journal.append("sunday", transcript=final(1, text))
        for display in (one, another):
            await display.until_sequence(last)
            assert display.texts[-len(texts) :] == texts


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_everything_arrives_whole_over_tls_too(
    journal: ScriptedJournal, start_captions: StartCaptions, certificate: Path, transport: str
) -> None:
    journal.start_session()
    service = await start_captions(
        web_certificate_file=certificate / "cert.pem", web_key_file=certificate / "key.pem"
    )
    service.web = service.web.replace("http:", "https:")
    async with displayed(service, transport) as display:
        await display.until_caught_up()
        sent = []
        for first in range(1, 200, 20):
            sent += speak(journal, random.Random(first), first, 20)
            await display.until_sequence(sent[-1])
        check_order(display)
        assert display.sequences[1:] == sent
        assert {
            event.caption.stable_text for event in display.events if event.sequence in sent
        } == {_LONG}


async def test_an_event_source_resumes_after_the_last_id_that_it_has(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    seen = journal.say(1, "one", "uno")
    last = journal.say(2, "two", "dos")
    service = await start_captions()
    url = f"{service.web}/events?session=sunday&after=1"
    async with aiohttp.ClientSession() as http:
        async with http.get(url, headers={"Last-Event-ID": str(seen)}) as answer:
            assert answer.content_type == "text/event-stream"
            ids = []
            async with asyncio.timeout(15):
                async for line in answer.content:
                    if line.startswith(b"id: "):
                        ids.append(int(line.removeprefix(b"id: ")))
                    if b'"caught_up"' in line:
                        break
            assert ids == [last - 1, last]
        async with http.get(f"{service.web}/events?after=-1") as answer:
            assert answer.status == 400
        async with http.get(f"{service.web}/events?after={last + 100}") as answer:
            text = (await answer.read()).decode()  # it ends
    assert text.startswith("event: error\ndata: {")
    assert text.endswith("}\n\n")
    assert '"SEQUENCE_AHEAD"' in text


async def test_an_event_source_of_http_1_0_gets_no_chunks(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    service = await start_captions()
    host, _, number = service.web.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(number))
    writer.write(b"GET /events HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    async with asyncio.timeout(15):
        headers = await reader.readuntil(b"\r\n\r\n")
        event = await reader.readuntil(b"\n\n")
    writer.close()
    assert b"chunked" not in headers
    assert event.startswith(b'id: 1\ndata: {"sequence":1,')


def test_the_limit_of_open_files_is_raised_and_too_low_a_one_is_told() -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))\n"
        "from services.captions.open_files import allow_viewers\n"
        "allow_viewers({viewers})\n"
        "print('soft', resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )

    def output(viewers: int) -> str:
        command = [sys.executable, "-c", program.format(viewers=viewers)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "soft 300" in output(100)
    assert "too_few_open_files" not in output(100)
    told = output(1000)
    assert "too_few_open_files" in told
    assert "GLOSSA_CAPTIONS_VIEWER_LIMIT" in told
