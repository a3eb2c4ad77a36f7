"""What every service with pages promises, whoever asks and however badly."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from services import web as pages
from services import web_listening
from services.captions.event_loop import new_event_loop
from services.tls_listening import https_context
from services.web_listening import listening
from tests.processes import free_port_base

DEADLINE_S = 20.0
POST = b"POST /json HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"


async def _json(request: web.Request) -> web.Response:
    return pages.json_answer(await pages.json_object(request))


async def _stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    return response


async def _crash(request: web.Request) -> web.Response:
    raise RuntimeError("a defect")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where a site of three routes listens."""
    app = pages.application(body_limit_bytes=1000)
    app.router.add_post("/json", _json)
    app.router.add_get("/stream", _stream)
    app.router.add_get("/crash", _crash)
    port = free_port_base()
    async with listening(app, "127.0.0.1", port):
        yield port


async def _answer(port: int, sent: bytes) -> str:
    """All that comes until the service closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        async with asyncio.timeout(DEADLINE_S):
            with contextlib.suppress(ConnectionError):
                return (await reader.read()).decode()
        return ""
    finally:
        writer.close()


@pytest.mark.parametrize("path", ["/stream", "/crash", "/nowhere"])
async def test_every_answer_has_the_headers_of_a_page_however_it_is_made(
    port: int, path: str
) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    head = (await _answer(port, request.encode())).partition("\r\n\r\n")[0]
    for name in (
        "Content-Security-Policy: default-src 'none'",
        "X-Content-Type-Options: nosniff",
        "Cross-Origin-Resource-Policy: same-origin",
        "Referrer-Policy: no-referrer",
    ):
        assert name in head


@pytest.mark.parametrize(
    "rest",
    [
        b"; charset=klingon\r\nContent-Length: 2\r\n\r\n{}",
        b"\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
        b"\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n",
    ],
    ids=["a charset that nobody knows", "not what it says to be", "broken chunks"],
)
async def test_a_body_that_cannot_be_read_is_no_defect_of_the_service(
    port: int, rest: bytes
) -> None:
    answer = await _answer(port, POST.replace(b"Host", b"Connection: close\r\nHost") + rest)
    assert answer.split()[1] == "400"


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: loc"], ids=["nothing", "a half"])
async def test_who_never_finishes_a_request_does_not_keep_the_connection(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(web_listening, "_REQUEST_TIMEOUT_S", 0.2)
    port = free_port_base()
    async with listening(pages.application(body_limit_bytes=1), "127.0.0.1", port):
        assert await _answer(port, sent) == ""


def _new_loops() -> list[Callable[[], asyncio.AbstractEventLoop]]:
    """Of the collector, and of captions."""
    return [asyncio.new_event_loop, new_event_loop]


async def _status(port: int, tls: ssl.SSLContext, address: str) -> int:
    connector = aiohttp.TCPConnector(local_addr=(address, 0), ssl=tls)
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        http.get(f"https://localhost:{port}/nowhere") as answer,
    ):
        return answer.status


@contextlib.asynccontextmanager
async def _silent(port: int, count: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connections of 127.0.0.1 that say nothing."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    try:
        yield [reader for reader, _ in opened]
    finally:
        for _, writer in opened:
            writer.close()


@pytest.mark.parametrize("new_loop", _new_loops())
def test_a_host_whose_connections_never_shake_hands_gets_no_more_and_others_are_served(
    certificates_dir: Path, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    port, tls = free_port_base(), https_context(certificates_dir, "captions")
    trusting = ssl.create_default_context(cafile=certificates_dir / "ca.pem")
    app = pages.application(body_limit_bytes=1)

    async def check() -> None:
        async with (
            asyncio.timeout(DEADLINE_S),
            listening(app, "127.0.0.1", port, tls, connections_per_host=3),
            _silent(port, 3) as silent,
        ):
            async with _silent(port, 1) as (one_more,):
                with contextlib.suppress(ConnectionError):
                    assert await one_more.read() == b""
            assert not any(each.at_eof() or each.exception() for each in silent)
            with pytest.raises(aiohttp.ClientError):
                await _status(port, trusting, "127.0.0.1")
            assert await _status(port, trusting, "127.0.2.1") == 404

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(check())


@pytest.mark.parametrize("new_loop", _new_loops())
def test_who_never_shook_hands_is_gone_after_a_while_and_leaves_room(
    monkeypatch: pytest.MonkeyPatch,
    certificates_dir: Path,
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    monkeypatch.setattr(web_listening, "_HANDSHAKE_TIMEOUT_S", 0.5)
    port, tls = free_port_base(), https_context(certificates_dir, "captions")
    trusting = ssl.create_default_context(cafile=certificates_dir / "ca.pem")
    app = pages.application(body_limit_bytes=1)

    async def check() -> None:
        async with (
            asyncio.timeout(DEADLINE_S),
            listening(app, "127.0.0.1", port, tls, connections_per_host=3),
        ):
            for _ in range(3):
                async with _silent(port, 4) as silent:
                    for reader in silent:
                        with contextlib.suppress(ConnectionError):
                            assert await reader.read() == b""
            assert await _status(port, trusting, "127.0.0.1") == 404

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(check())


async def test_who_never_finishes_a_body_is_told_and_disconnected(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    monkeypatch.setattr(pages, "_BODY_TIMEOUT_S", 0.1)
    answer = await _answer(port, POST + b"\r\nContent-Length: 100\r\n\r\n{")
    assert answer.split()[1] == "504"
    assert "BODY_TIMEOUT" in answer
