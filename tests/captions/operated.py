"""Captions beside a real gateway that operators steer, and what asks both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from services.settings import port
from tests.gateway.conftest import Stack
from tests.processes import ServiceProcess, free_port_base

DEADLINE_S = 20.0
Answer = dict[str, Any]


class Operated:
    """A gateway with its peers, captions that follow it, and an HTTP client."""

    def __init__(self, folder: Path) -> None:
        self.stack = Stack(folder)
        base = free_port_base()
        self.captions = ServiceProcess(
            "captions", base, folder, upstream_address=self.stack.gateway.address
        )
        self.web = f"http://127.0.0.1:{port('captions_web', base)}"
        self.http: aiohttp.ClientSession

    async def start(self) -> None:
        self.captions.start()
        await self.stack.start()
        await self.captions.wait_ready()
        self.http = aiohttp.ClientSession(self.web)

    async def stop(self) -> None:
        await self.http.close()
        self.captions.kill()
        await self.stack.stop()

    async def get(self, path: str) -> tuple[int, Answer]:
        async with self.http.get(path) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, **body: object) -> tuple[int, Answer]:
        async with self.http.post(path, json=body) as answer:
            return answer.status, await answer.json()

    async def status(self, enough: Callable[[Answer], bool]) -> Answer:
        """/operator/status once it is `enough`."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                status, answer = await self.get("/operator/status")
                if status == 200 and enough(answer):
                    return answer
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def socket(self, path: str) -> AsyncIterator[Socket]:
        async with self.http.ws_connect(path) as socket:
            yield Socket(socket)

    async def admitted(self, path: str, *messages: object) -> Answer:
        """The first answer of a socket, once there is room for it again."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                async with self.socket(path) as socket:
                    for message in messages:
                        await socket.socket.send_json(message)
                    answer = await socket.until(lambda answer: True)
                    if not answer.get("error", {}).get("reason", "").startswith("TOO_MANY"):
                        return answer


class Socket:
    """A WebSocket and everything that came through it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.answers: list[Answer] = []

    async def until(self, enough: Callable[[Answer], object]) -> Answer:
        """The next answer that is `enough`."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                self.answers.append(await self.socket.receive_json())
                if enough(self.answers[-1]):
                    return self.answers[-1]

    async def until_event(self, kind: str) -> Answer:
        """The next journal event of this kind, whole."""
        answer = await self.until(lambda answer: kind in answer.get("event", {}))
        return dict(answer["event"])

    async def ending(self) -> tuple[str, int | None]:
        """Why the service ended it, and the code that it closed with."""
        error = (await self.until(lambda answer: "error" in answer))["error"]
        assert error["message"]
        async with asyncio.timeout(DEADLINE_S):
            assert (await self.socket.receive()).type is aiohttp.WSMsgType.CLOSE
        return error["reason"], self.socket.close_code


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def operated(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Operated]:
    """One for a module's tests: each has its own sessions in it."""
    operated = Operated(tmp_path_factory.mktemp("operated"))
    await operated.start()
    yield operated
    await operated.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def own_operated(tmp_path: Path) -> AsyncIterator[Operated]:
    """One for this test alone, to be broken."""
    operated = Operated(tmp_path)
    await operated.start()
    yield operated
    await operated.stop()
