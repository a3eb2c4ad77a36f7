"""One host that takes all it can get: it is refused or cut, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from services.bounded_threads import THREADS_LIMIT
from services.certificates import chain_file, key_file
from services.errors import reason_of
from services.peer_address import host, host_of_peer
from services.serving import MAX_METADATA_BYTES, SERVER_OPTIONS
from tests.memory import MIB, growth_below
from tests.processes import REPOSITORY
from tests.services.test_serving import TrialStarter

TRANSLATE = "/glossa.mt.v1.MtService/Translate"
CHECK = "/grpc.health.v1.Health/Check"
TRANSCRIBE = "/glossa.stt.v1.SttService/StreamingTranscribe"


@contextlib.contextmanager
def connections(port: int, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many of them, of which each sends the same and then nothing."""
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            opened.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)))
            opened[-1].sendall(sent)
        yield opened


def is_closed(connection: socket.socket, within_s: float) -> bool:
    connection.settimeout(within_s)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("ipv4:10.0.0.7:40000", "10.0.0.7"),
        ("ipv6:%5B2001:db8::7%5D:40000", "2001:db8::/64"),
        ("ipv6:[::ffff:10.0.0.7]:40000", "10.0.0.7"),
        ("ipv6:[fe80::7%25eth0]:40000", "fe80::/64"),
        ("unix:", "unix"),
    ],
)
def test_calls_are_counted_by_host(peer: str, expected: str) -> None:
    assert host_of_peer(peer) == expected


def test_what_is_no_address_is_a_host_of_its_own() -> None:
    assert host("somewhere") == "somewhere"


async def test_a_host_has_as_many_calls_open_as_it_may_and_one_more_is_refused(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial(calls_per_host=3)
    await trial.wait_health("SERVING")
    streams = [trial.stream("hello") for _ in range(3)]
    for stream in streams:
        assert (await stream.read()).translation.text == "hello"
    for refused in (trial.stream("hello"), trial.health()):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await (refused.read() if hasattr(refused, "read") else refused)
        assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason_of(failure.value) == "TOO_MANY_CALLS"
    streams.pop().cancel()
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError):
                assert await trial.translate("hello") == "hello"
                break
    for stream in streams:
        stream.cancel()


@pytest.mark.parametrize("method", [TRANSLATE, CHECK])
async def test_a_call_that_brings_no_message_is_ended_and_others_are_served(
    start_trial: TrialStarter, method: str
) -> None:
    trial = start_trial(first_message_timeout_s=0.5)
    await trial.wait_health("SERVING")
    with growth_below(trial.process.pid, 16 * MIB):
        silent = [trial.channel.stream_unary(method)() for _ in range(100)]
        assert await trial.translate("hello") == "hello"
        for call in silent:
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await asyncio.wait_for(call, 20)
            assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert reason_of(failure.value) == "FIRST_MESSAGE_TIMEOUT"
        assert await trial.translate("hello") == "hello"


async def test_a_unary_call_that_ends_without_a_message_is_told(start_trial: TrialStarter) -> None:
    trial = start_trial()
    await trial.wait_health("SERVING")
    call = trial.channel.stream_unary(TRANSLATE)(timeout=20)
    await call.done_writing()
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    assert reason_of(failure.value) == "MESSAGE_MISSING"


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
@pytest.mark.parametrize("method", [CHECK, TRANSLATE, TRANSCRIBE])
async def test_a_compressed_message_is_refused_and_nothing_is_inflated(
    start_trial: TrialStarter, method: str, compression: grpc.Compression
) -> None:
    """By a caller of its own, since our channels compress nothing."""
    trial = start_trial()
    await trial.wait_health("SERVING")
    async with grpc.aio.insecure_channel(trial.address) as channel:
        await channel.channel_ready()
        with growth_below(trial.process.pid, 16 * MIB):
            for message in (b"", bytes(128 * MIB)):  # the latter is 128 KiB on the wire
                call = channel.unary_unary(method)(message, timeout=20, compression=compression)
                assert await call.code() is grpc.StatusCode.UNIMPLEMENTED
    assert await trial.translate("hello") == "hello"


async def test_metadata_up_to_the_limit_is_taken_and_more_is_refused(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial()
    await trial.wait_health("SERVING")
    call = trial.channel.unary_unary(CHECK)
    own_bytes = 600  # the path, the user agent and what else gRPC sends of itself: 551
    for _ in range(20):  # every time: gRPC has a limit from which on it refuses some at random
        await call(b"", metadata=[("x", "x" * (MAX_METADATA_BYTES - own_bytes))], timeout=10)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call(b"", metadata=[("x", "x" * (MAX_METADATA_BYTES - 100))], timeout=10)
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


HANDSHAKE_MS = "grpc.server_handshake_timeout_ms"
IDLE_MS = "grpc.max_connection_idle_ms"


def test_a_handshake_has_10_seconds_and_a_connection_without_a_call_a_minute() -> None:
    options = dict(SERVER_OPTIONS)
    assert (options[HANDSHAKE_MS], options[IDLE_MS]) == (10_000, 60_000)


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "TLS"])
async def test_a_connection_that_never_becomes_one_of_http2_is_closed(
    start_trial: TrialStarter, certificates_dir: Path, tmp_path: Path, is_encrypted: bool
) -> None:
    settings: dict[str, object] = {"server_options": json.dumps({HANDSHAKE_MS: 500})}
    if is_encrypted:
        folder = shutil.copytree(certificates_dir, tmp_path / "certificates")
        for file in (key_file, chain_file):
            file(folder, "qe").rename(file(folder, "trial"))
        settings["certificates_dir"] = folder
    trial = start_trial(**settings)
    while "listening" not in trial.log():
        assert trial.process.poll() is None, trial.log()
        await asyncio.sleep(0.05)
    client_hello = b"\x16\x03\x01"  # the first bytes of one, which never come to an end
    for sent in (b"", client_hello if is_encrypted else b"PRI * HTTP/2.0"):
        with connections(trial.grpc_port, 3, sent) as opened:
            assert all([await asyncio.to_thread(is_closed, each, 20) for each in opened])


async def test_a_connection_without_a_call_is_closed_and_one_with_a_call_is_not(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial(server_options=json.dumps({IDLE_MS: 1_000}))
    await trial.wait_health("SERVING")
    stream = trial.stream("hello")
    assert (await stream.read()).translation.text == "hello"
    async with grpc.aio.insecure_channel(
        trial.address, [("grpc.use_local_subchannel_pool", 1)]
    ) as ch:
        await ch.channel_ready()
        async with asyncio.timeout(20):
            await ch.wait_for_state_change(grpc.ChannelConnectivity.READY)
    assert trial.channel.get_state() is grpc.ChannelConnectivity.READY
    assert not stream.done()
    stream.cancel()


async def test_connections_beyond_the_limit_are_closed_and_those_there_are_go_on(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial(connection_limit=8)
    await trial.wait_health("SERVING")
    with connections(trial.grpc_port, 8) as opened:  # with the trial's own they are nine
        closed = [each for each in opened if is_closed(each, 0.5)]
        assert len(closed) == 1
        assert await trial.translate("hello") == "hello"


async def test_who_holds_the_operators_port_open_keeps_neither_threads_nor_others(
    start_trial: TrialStarter,
) -> None:
    trial = start_trial()
    await trial.wait_health("SERVING")
    before = threads(trial.process.pid)
    with (
        growth_below(trial.process.pid, 16 * MIB),
        connections(trial.http_port, 2 * THREADS_LIMIT) as silent,
        connections(trial.http_port, 2 * THREADS_LIMIT, b"GET /readyz HT") as halves,
    ):
        assert await trial.http("/readyz") == (200, "ready\n")
        async with asyncio.timeout(20):  # those of connections that were cut still wind up
            while threads(trial.process.pid) > before + THREADS_LIMIT:
                await asyncio.sleep(0.05)
        assert all(is_closed(each, 5) for each in silent)
        assert not is_closed(halves[-1], 0.1)
    assert "Traceback" not in trial.log()


@pytest.mark.slow
async def test_a_peer_that_is_gone_without_a_word_is_let_go(start_trial: TrialStarter) -> None:
    """As when its network is: frozen, it answers no ping."""
    trial = start_trial()
    await trial.wait_health("SERVING")
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _STREAM, trial.address, cwd=REPOSITORY, env=_paths()
    )
    try:
        await open_streams(trial, 1)
        child.send_signal(signal.SIGSTOP)
        assert await trial.translate("hello") == "hello"
        await open_streams(trial, 0, timeout_s=40)
    finally:
        child.kill()
        await child.wait()


_STREAM = """
import sys
import grpc
from glossa.mt.v1 import mt_pb2, mt_pb2_grpc

mt = mt_pb2_grpc.MtServiceStub(grpc.insecure_channel(sys.argv[1]))
text = mt_pb2.TranslateRequest(text="hello")
for answer in mt.StreamTranslate(mt_pb2.StreamTranslateRequest(request=text)):
    pass
"""


def _paths() -> dict[str, str]:
    return {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'protos'}"}


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


async def open_streams(trial: object, count: int, timeout_s: float = 20.0) -> None:
    line = f'glossa_rpcs_open{{method="MtService/StreamTranslate"}} {count}.0'
    async with asyncio.timeout(timeout_s):
        while line not in (await trial.http("/metrics"))[1]:  # type: ignore[attr-defined]
            await asyncio.sleep(0.1)
