"""The whole stack on a directory of certificates: nothing of it speaks without encryption."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import ssl
import sys
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.certificate_authority import renew
from glossa.types.v1 import models_pb2, models_pb2_grpc
from services.audio import SAMPLE_RATE_HERTZ
from services.certificates import CLIENT, chain_file, client_context, key_file
from services.channels import Identity, current_identity, identify
from services.settings import SERVICES
from tests.cli.verb import run_verb
from tests.conftest import MakeCertificates
from tests.e2e.stack import Display, UpStack, speak, texts
from tests.processes import REPOSITORY
from tests.speech import Pcm, spoken, with_pauses

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

INNER = ("stt", "mt", "qe")
PAGES = ("captions_web", "collector_web")
PORTS = (*SERVICES, *(f"{name}_http" for name in SERVICES), *PAGES)
SENTENCE = "In the beginning God created the heavens and the earth."
SHOWN_TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def sermon() -> Pcm:
    return with_pauses(
        spoken(SENTENCE),
        spoken("There is bread on the table for everyone who is hungry."),
    )


@pytest.fixture(scope="module", autouse=True)
def as_client(certificates_dir: Path) -> Iterator[None]:
    """What this process opens it opens as the command line would."""
    before = current_identity()
    identify(Identity(certificates_dir))
    yield
    identify(before)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(
    certificates_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[UpStack]:
    folder = tmp_path_factory.mktemp("encrypted")
    started = UpStack(folder, GLOSSA_CERTIFICATES_DIR=certificates_dir)
    await started.start()
    try:
        yield started
    finally:
        assert started.stop() == 0


async def test_what_is_said_comes_to_displays_and_into_redis(stack: UpStack, sermon: Pcm) -> None:
    display = Display(stack.address("captions"))
    watching = asyncio.create_task(display.watch())
    closed = await speak(stack.speaker(speed=0), sermon)
    translated = texts(await stack.events(closed.session_id), "translation")
    assert len(translated) >= 2
    async with asyncio.timeout(SHOWN_TIMEOUT_S):
        while display.texts(closed.session_id, "es") != translated:
            await asyncio.sleep(0.05)
        while len(stack.queued_pair_ids(closed.session_id)) < len(translated):
            await asyncio.sleep(0.1)
    watching.cancel()


async def test_the_command_line_speaks_captions_and_queue_over_tls(
    stack: UpStack, tmp_path: Path
) -> None:
    recording = tmp_path / "sermon.wav"
    with wave.open(str(recording), "wb") as audio:
        audio.setparams((1, 2, SAMPLE_RATE_HERTZ, 0, "NONE", ""))
        audio.writeframes(with_pauses(spoken(SENTENCE)).tobytes())
    async with _verb(stack, "captions", "--finals-only", "--language", "en") as captions:
        await stack.verb("live", str(recording), "--speed", "0", "--title", "over TLS")
        assert captions.stdout is not None
        shown = ""
        async with asyncio.timeout(SHOWN_TIMEOUT_S):
            while "heavens" not in shown and "beginning" not in shown:
                shown += (await captions.stdout.read(4096)).decode()
    assert json.loads(await stack.verb("queue", "--json"))["cursor_sequence"] > 0


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("name", PORTS)
async def test_no_port_speaks_plaintext_or_an_old_tls(
    stack: UpStack, name: str, certificates_dir: Path
) -> None:
    port = int(stack.description()["ports"][name])
    assert not await asyncio.to_thread(_answers_plaintext, port)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert await asyncio.to_thread(_shakes_hands, port, certificates_dir, version)
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        assert not await asyncio.to_thread(_shakes_hands, port, certificates_dir, version)


@pytest.mark.parametrize("name", SERVICES)
async def test_a_client_without_encryption_is_refused(stack: UpStack, name: str) -> None:
    async with grpc.aio.insecure_channel(stack.address(name)) as channel:
        assert await _health(channel) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("name", SERVICES)
async def test_whom_one_does_not_know_one_does_not_talk_to(
    stack: UpStack, name: str, certificates: MakeCertificates
) -> None:
    async with _channel(stack, name, certificates()) as channel:
        assert await _health(channel) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("name", SERVICES)
async def test_stt_mt_and_qe_want_a_certificate_of_this_authority_that_is_still_good(
    stack: UpStack,
    name: str,
    certificates_dir: Path,
    certificates: MakeCertificates,
    tmp_path: Path,
) -> None:
    expired = Path(shutil.copytree(certificates_dir, tmp_path / "expired"))
    renew(expired, (), days=-1)
    strangers = certificates()
    wanted = grpc.StatusCode.UNAVAILABLE if name in INNER else grpc.StatusCode.OK
    for shown in (None, expired, strangers):
        async with _channel(stack, name, certificates_dir, shown) as channel:
            assert await _health(channel) is wanted
    async with _channel(stack, name, certificates_dir, certificates_dir) as channel:
        assert await _health(channel) is grpc.StatusCode.OK


@pytest.mark.parametrize("name", INNER)
async def test_only_the_gateway_and_the_command_line_call_stt_mt_and_qe(
    stack: UpStack, name: str, certificates_dir: Path
) -> None:
    codes = {}
    for caller in ("captions", "collector", "stt", "gateway", CLIENT):
        async with _channel(
            stack, name, certificates_dir, certificates_dir, caller=caller
        ) as channel:
            stub = models_pb2_grpc.ModelServiceStub(channel)
            try:
                await stub.GetModel(models_pb2.GetModelRequest(), timeout=10)
                codes[caller] = grpc.StatusCode.OK
            except grpc.aio.AioRpcError as error:
                codes[caller] = error.code()
            assert await _health(channel) is grpc.StatusCode.OK
    refused = dict.fromkeys(("captions", "collector", "stt"), grpc.StatusCode.PERMISSION_DENIED)
    assert codes == {**refused, "gateway": grpc.StatusCode.OK, CLIENT: grpc.StatusCode.OK}


async def test_doctor_asks_nobody_where_no_certificates_are_named_and_says_so_once(
    stack: UpStack, certificates_dir: Path
) -> None:
    state = {"GLOSSA_STATE_DIR": stack.description()["state_dir"]}
    named = {"GLOSSA_CERTIFICATES_DIR": str(certificates_dir)}
    without = (await asyncio.to_thread(run_verb, "doctor", **state)).stdout
    advice = f"GLOSSA_CERTIFICATES_DIR={certificates_dir} ./glossa doctor"
    assert f"FIX  it runs with certificates, and here none are named: {advice}\n" in without
    assert "silent" not in without
    with_them = (await asyncio.to_thread(run_verb, "doctor", **state, **named)).stdout
    assert all(f"ok   {name} is serving\n" in with_them for name in SERVICES)


async def test_pages_and_operators_ports_come_over_https(
    stack: UpStack, certificates_dir: Path
) -> None:
    description = stack.description()
    trusting = aiohttp.TCPConnector(ssl=client_context(certificates_dir))
    async with aiohttp.ClientSession(connector=trusting) as http:
        for page in (description["page_url"], description["review_url"]):
            assert page.startswith("https://")
            async with http.get(page) as answer:
                assert (answer.status, answer.content_type) == (200, "text/html")
        async with http.get(f"{description['page_url']}join") as answer:
            assert (await answer.json())["url"].startswith("https://")
        for name in SERVICES:
            port = description["ports"][f"{name}_http"]
            async with http.get(f"https://localhost:{port}/readyz") as answer:
                assert (answer.status, (await answer.text()).split()[0]) == (200, "ready")
            async with http.get(f"https://127.0.0.1:{port}/metrics") as answer:
                assert "glossa_certificate_expiry_timestamp_seconds 1" in await answer.text()
    untrusting = aiohttp.TCPConnector(ssl=ssl.create_default_context())
    async with aiohttp.ClientSession(connector=untrusting) as http:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await http.get(description["page_url"])


def _channel(
    stack: UpStack,
    name: str,
    believed: Path,
    shown: Path | None = None,
    *,
    caller: str = CLIENT,
) -> grpc.aio.Channel:
    """A channel of one who believes one directory's authority and shows another's certificate."""
    chain = key = None
    if shown is not None:
        chain, key = (each(shown, caller).read_bytes() for each in (chain_file, key_file))
    ca = (believed / "ca.pem").read_bytes()
    return grpc.aio.secure_channel(
        stack.address(name), grpc.ssl_channel_credentials(ca, key, chain)
    )


async def _health(channel: grpc.aio.Channel) -> grpc.StatusCode:
    try:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def _answers_plaintext(port: int) -> bool:
    """Whether an HTTP/1.1 or HTTP/2 answer comes to a request without encryption."""
    answers = []
    for request in (b"GET / HTTP/1.0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(request)
            with contextlib.suppress(ConnectionError):
                answers.append(connection.recv(9))
    # What comes may be a TLS alert (21); an answer of HTTP/2 begins with a SETTINGS frame (4).
    return any(answer.startswith(b"HTTP/") or answer[3:4] == b"\x04" for answer in answers)


def _shakes_hands(port: int, directory: Path, version: ssl.TLSVersion) -> bool:
    context = client_context(directory)
    # OpenSSL offers TLS 1.1 at its lowest level alone.
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = version
    context.minimum_version = version
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
            context.wrap_socket(connection, server_hostname="localhost") as encrypted,
        ):
            return encrypted.version() is not None
    except (ssl.SSLError, ConnectionError):
        return False


@contextlib.asynccontextmanager
async def _verb(stack: UpStack, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A verb that goes on until it is ended, with its stdout to be read."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", *arguments),
        cwd=REPOSITORY,
        env={**os.environ, **stack.client_environment},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()
