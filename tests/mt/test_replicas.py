"""Several mt processes behind one name, as in a swarm or in Kubernetes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from services.channels import open_channel
from services.settings import port
from tests.mt.conftest import MtProcess
from tests.name_server import NameServer
from tests.processes import free_port_base

WAIT_S = 60.0
CALLERS = 6
_ANSWERED = 'glossa_rpc_duration_seconds_count{code="OK",method="MtService/Translate"}'


async def test_calls_go_on_where_a_replica_dies_and_its_successor_takes_part(
    own_mt: Callable[..., MtProcess],
) -> None:
    base = free_port_base()
    dying, staying = (own_mt(base=base, host=f"127.0.0.{number}") for number in (1, 2))
    answers: list[str] = []

    async def translate() -> None:
        while True:
            answer = await mt.Translate(request, timeout=WAIT_S)
            answers.append(answer.text)

    request = mt_pb2.TranslateRequest(
        text="God is good.", source_language="en", target_language="es"
    )
    for replica in (dying, staying):
        await replica.wait_ready()
    async with (
        NameServer("127.0.0.1", "127.0.0.2") as names,
        open_channel(f"dns://{names.address}/tasks.mt:{port('mt', base)}") as channel,
    ):
        mt = mt_pb2_grpc.MtServiceStub(channel)
        calling = [asyncio.create_task(translate()) for _ in range(CALLERS)]
        try:
            for replica in (dying, staying):
                await _until_it_answers(replica, calling)
            dying.kill()
            count = len(answers)
            # A new task of a swarm, or pod of Kubernetes, has another address.
            successor = own_mt(base=base, host="127.0.0.3")
            names.addresses = ["127.0.0.2", "127.0.0.3"]
            await _until_it_answers(successor, calling)
            assert len(answers) > count
        finally:
            for task in calling:
                task.cancel()
            ended = await asyncio.gather(*calling, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended
    assert len(set(answers)) == 1


async def _until_it_answers(replica: MtProcess, calling: list[asyncio.Task[None]]) -> None:
    """Until a replica has answered calls; fails as soon as a caller does."""
    async with asyncio.timeout(WAIT_S):
        await replica.wait_ready()
        while await replica.metric(_ANSWERED) < CALLERS:
            for task in calling:
                if task.done():
                    task.result()
            await asyncio.sleep(0.05)
