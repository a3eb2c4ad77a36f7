"""Every RPC of every proto in one process: `python -m tests.contract.every_service`.

Settings, server, interceptors and sockets are the real ones; what is behind them says nothing and
answers with nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from pydantic_settings import SettingsConfigDict

from services.serving import run
from services.settings import ServiceSettings, load

PROTOS = Path(__file__).resolve().parents[2] / "protos"


def _descriptors() -> Iterator[FileDescriptor]:
    """Of every .proto that there is: a new one needs no line here."""
    for path in sorted(PROTOS.rglob("*.proto")):
        name = path.relative_to(PROTOS).with_suffix("").as_posix().replace("/", ".")
        yield importlib.import_module(f"{name}_pb2").DESCRIPTOR


METHODS: dict[str, MethodDescriptor] = {
    f"{service.full_name}/{method.name}": method
    for file in _descriptors()
    for service in file.services_by_name.values()
    for method in service.methods
}


class EveryServiceSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="GLOSSA_EVERY_", frozen=True, extra="ignore")


class EveryService:
    name = "every"
    service_names = tuple(sorted({name.partition("/")[0] for name in METHODS}))

    def register(self, server: grpc.aio.Server) -> None:
        for service in self.service_names:
            handlers = {
                method.name: _handler(method)
                for name, method in METHODS.items()
                if name.startswith(f"{service}/")
            }
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, handlers),)
            )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield

    async def drain(self) -> None:
        await asyncio.sleep(0)


def _handler(method: MethodDescriptor) -> grpc.RpcMethodHandler:
    parse = method.input_type._concrete_class.FromString
    answer = method.output_type._concrete_class

    async def heard(request: Any) -> None:
        if method.client_streaming:
            async for _ in request:
                pass

    async def one(request: Any, context: grpc.aio.ServicerContext) -> Any:
        await heard(request)
        return answer()

    async def many(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
        await heard(request)
        yield answer()

    kind = (
        f"{'stream' if method.client_streaming else 'unary'}_"
        f"{'stream' if method.server_streaming else 'unary'}_rpc_method_handler"
    )
    behaviour = many if method.server_streaming else one
    handler: grpc.RpcMethodHandler = getattr(grpc, kind)(behaviour, parse, _serialized)
    return handler


def _serialized(message: Any) -> bytes:
    return bytes(message.SerializeToString())


if __name__ == "__main__":
    settings = load(EveryServiceSettings)
    run(EveryService(), settings)
