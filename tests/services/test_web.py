"""What every service with pages promises, whoever asks and however badly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from services import web as pages
from services.tls_listening import https_context
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
    async with pages.listening(app, "127.0.0.1", port):
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
    monkeypatch.setattr(pages, "_REQUEST_TIMEOUT_S", 0.2)
    port = free_port_base()
    async with pages.listening(pages.application(body_limit_bytes=1), "127.0.0.1", port):
        assert await _answer(port, sent) == ""


async def test_who_never_shakes_hands_does_not_keep_the_connection(
    monkeypatch: pytest.MonkeyPatch, certificates_dir: Path
) -> None:
    monkeypatch.setattr(pages, "_HANDSHAKE_TIMEOUT_S", 0.2)
    port, tls = free_port_base(), https_context(certificates_dir, "captions")
    async with pages.listening(pages.application(body_limit_bytes=1), "127.0.0.1", port, tls):
        assert await _answer(port, b"") == ""


async def test_who_never_finishes_a_body_is_told_and_disconnected(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    monkeypatch.setattr(pages, "_BODY_TIMEOUT_S", 0.1)
    answer = await _answer(port, POST + b"\r\nContent-Length: 100\r\n\r\n{")
    assert answer.split()[1] == "504"
    assert "BODY_TIMEOUT" in answer
