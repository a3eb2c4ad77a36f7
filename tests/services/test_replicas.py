"""Replicas behind one name: who of them is asked, and by which name they are believed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2_grpc

from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from services import channels
from services.channels import Identity, open_channel
from services.conditions import health_status
from services.tls_listening import grpc_credentials
from tests.name_server import NameServer
from tests.processes import free_port_base

WAIT_S = 15.0


class Replica(mt_pb2_grpc.MtServiceServicer):
    """Translates every text to the address at which it was asked."""

    def __init__(self, address: str, credentials: grpc.ServerCredentials | None = None) -> None:
        self._address = address
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server()
        mt_pb2_grpc.add_MtServiceServicer_to_server(self, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if credentials is None:
            self._server.add_insecure_port(address)
        else:
            self._server.add_secure_port(address, credentials)

    async def __aenter__(self) -> Replica:
        await self._server.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.stop(0)

    async def set_serving(self, *, serving: bool) -> None:
        await self._health.set("", health_status(serving=serving))

    async def Translate(self, request: object, context: object) -> mt_pb2.TranslateResponse:
        return mt_pb2.TranslateResponse(text=self._address)


@contextlib.asynccontextmanager
async def translator(address: str) -> AsyncIterator[mt_pb2_grpc.MtServiceStub]:
    async with open_channel(address) as channel:
        yield mt_pb2_grpc.MtServiceStub(channel)


async def answering(mt: mt_pb2_grpc.MtServiceStub, call_count: int = 8) -> set[str]:
    """The addresses that answer so many calls."""
    request = mt_pb2.TranslateRequest(text="Amen.")
    answers = [await mt.Translate(request, timeout=WAIT_S) for _ in range(call_count)]
    return {answer.text for answer in answers}


async def until_answering(mt: mt_pb2_grpc.MtServiceStub, addresses: set[str]) -> None:
    async with asyncio.timeout(WAIT_S):
        while await answering(mt) != addresses:
            await asyncio.sleep(0.02)


async def test_calls_go_round_the_replicas_that_serve() -> None:
    port = free_port_base()
    first, second = (f"127.0.0.{number}:{port}" for number in (1, 2))
    async with (
        NameServer("127.0.0.1", "127.0.0.2") as names,
        Replica(first),
        Replica(second) as leaving,
        translator(f"dns://{names.address}/tasks.mt:{port}") as mt,
    ):
        await until_answering(mt, {first, second})
        await leaving.set_serving(serving=False)
        await until_answering(mt, {first})
        await leaving.set_serving(serving=True)
        await until_answering(mt, {first, second})


async def test_host_and_port_are_one_process_whatever_it_says_of_its_health() -> None:
    address = f"127.0.0.1:{free_port_base()}"
    async with Replica(address) as loading, translator(address) as mt:
        await loading.set_serving(serving=False)
        assert await answering(mt) == {address}


@pytest.mark.parametrize(
    ("name", "is_believed"),
    [("tasks.mt", True), ("mt.glossa.svc.cluster.local", True), ("qe", False)],
)
async def test_a_replica_is_believed_by_the_name_that_all_have(
    name: str, is_believed: bool, certificates_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "_identity", Identity(certificates_dir, "gateway"))
    credentials = grpc_credentials(certificates_dir, "mt", requires_client=True)
    port = free_port_base()
    async with (
        NameServer("127.0.0.1") as names,
        Replica(f"127.0.0.1:{port}", credentials),
        translator(f"dns://{names.address}/{name}:{port}") as mt,
    ):
        if is_believed:
            assert await answering(mt) == {f"127.0.0.1:{port}"}
        else:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await mt.Translate(mt_pb2.TranslateRequest(text="Amen."), timeout=WAIT_S)
            assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
