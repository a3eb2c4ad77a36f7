"""A host with a running mt, for deployments: what is asked of it, and what it says meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from glossa.types.v1 import models_pb2, models_pb2_grpc
from tests.mt.conftest import MtProcess
from training.deploy import deploy

NAME = "glossa-en-es"
TEXT, TRANSLATED = "Jesus wept.", "Jesús lloró."


class Booth:
    """A host: its models folder and its mt, which began with a model that nobody registered."""

    def __init__(self, folder: Path, runtime: str = "marian") -> None:
        self._folder = folder
        self._runtime = runtime
        self.models_dir = folder / "models"
        self.models_dir.mkdir()

    async def start(self, model: str = "") -> None:
        self.mt = MtProcess(
            self._folder, runtime=self._runtime, model=model, models_dir=self.models_dir
        )
        self.mt.start()
        await self.mt.wait_ready()

    async def stop(self) -> None:
        self.mt.kill()
        await self.mt.channel.close()

    async def run(self, *arguments: object) -> Result:
        host = f"local:{self.models_dir}@{self.mt.address}"
        given = [*map(str, arguments), "--registry", str(self._folder / "registry"), "--host", host]
        return await asyncio.to_thread(CliRunner().invoke, deploy, given)

    async def in_use(self) -> tuple[str, str]:
        """Engine and model."""
        models: Any = models_pb2_grpc.ModelServiceStub(self.mt.channel)
        told = await models.GetModel(models_pb2.GetModelRequest())
        return told.engine, told.model

    async def model(self) -> str:
        return (await self.in_use())[1]

    def leads_to(self) -> str | None:
        link = self.models_dir / NAME
        return str(link.readlink()) if link.is_symlink() else None

    def log(self) -> list[dict[str, Any]]:
        path = self._folder / "registry/deployments.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@asynccontextmanager
async def spoken(mt: MtProcess) -> AsyncIterator[list[str]]:
    """Texts keep coming; every one of them must be translated. Yields the models that did it."""
    is_over = False
    models: list[str] = []

    async def speak() -> None:
        while not is_over:
            models.append((await mt.translate(TEXT)).model)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(speak())
        try:
            yield models
        finally:
            is_over = True
