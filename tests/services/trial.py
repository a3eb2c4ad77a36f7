"""A service whose behaviour the tests choose: `python -m tests.services.trial`.

It serves MtService and SttService, so it needs no protos of its own; the text of a request says
what happens to it. Everything around the App is the real thing: settings, run, signals, ports.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal

import grpc
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from glossa.stt.v1 import stt_pb2_grpc
from services import errors, serving
from services.conditions import Conditions
from services.settings import ServiceSettings, load

SERVICE_NAMES = ("glossa.mt.v1.MtService", "glossa.stt.v1.SttService")
CONDITION = "glossa.trial.v1.Weather"

# What each text raises. The long ones hold what a caller may have sent: nothing bounds it.
FAILURES: dict[str, Callable[[], Exception]] = {
    "invalid": lambda: errors.InvalidInput("EMPTY_TEXT", "el texto está vacío", size_bytes=0),
    "not found": lambda: errors.NotFound("UNKNOWN_SESSION", "no such session", session_id="s1"),
    "wrong state": lambda: errors.WrongState("SESSION_ENDED", "the session is over"),
    "out of range": lambda: errors.OutOfRange("HISTORY_TRIMMED", "too old", oldest_sequence=7),
    "superseded": lambda: errors.Superseded("SESSION_TAKEN_OVER", "another speaker came"),
    "overloaded": lambda: errors.Overloaded("OVERLOADED", "the queue is full", retry_after_s=2.5),
    "deadline": lambda: errors.DeadlinePassed("IDLE_TIMEOUT", "nothing came"),
    "unavailable": lambda: errors.Unavailable("NOT_READY", "the model is loading"),
    "engine failed": lambda: errors.EngineFailed("the engine died", engine="trial"),
    "long": lambda: errors.InvalidInput("TEXT_TOO_LONG", "ñ" * 20_000, text="ñ" * 20_000),
    "unexpected": lambda: ZeroDivisionError("a bug"),
}


class TrialSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="GLOSSA_TRIAL_", frozen=True, extra="ignore")

    warm_up_until: Path | None = Field(None, description="a file that ends the warm-up")
    warm_up_fails: bool = False
    server_options: dict[str, int] = Field(
        {}, description="other than serving.SERVER_OPTIONS has them"
    )
    drain_hangs: bool = False


class TrialApp:
    name = "trial"
    service_names = SERVICE_NAMES

    def __init__(self, settings: TrialSettings) -> None:
        self._settings = settings
        self.conditions = Conditions(CONDITION)
        self._failure: asyncio.Future[Literal["glossa", "bug"]] | None = None
        self.draining = asyncio.Event()

    def register(self, server: grpc.aio.Server) -> None:
        mt_pb2_grpc.add_MtServiceServicer_to_server(TrialMt(self), server)
        stt_pb2_grpc.add_SttServiceServicer_to_server(TrialStt(), server)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        if self._settings.warm_up_fails:
            raise errors.Unavailable("ENGINE_NOT_INSTALLED", "no engine: install one")
        gate = self._settings.warm_up_until
        while gate is not None and not gate.exists():
            await asyncio.sleep(0.02)
        await self.conditions.set(CONDITION, ())
        self._failure = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as tasks:
            background = tasks.create_task(self._background(self._failure))
            yield
            background.cancel()

    async def drain(self) -> None:
        self.draining.set()
        if self._settings.drain_hangs:
            await asyncio.Event().wait()

    def fail_background(self, how: Literal["glossa", "bug"]) -> None:
        assert self._failure is not None
        self._failure.set_result(how)

    async def _background(self, failure: asyncio.Future[Literal["glossa", "bug"]]) -> None:
        if await failure == "glossa":
            raise errors.Unavailable("JOURNAL_FAILED", "the disk is full")
        raise ZeroDivisionError("a bug")


class TrialMt(mt_pb2_grpc.MtServiceServicer):
    """Does what the text says: a key of FAILURES, `wait S`, `block S`, `warn OF`, `fail HOW`, or
    echoes it.
    """

    def __init__(self, app: TrialApp) -> None:
        self._app = app

    async def Translate(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        verb, _, argument = request.text.partition(" ")
        if request.text in FAILURES:
            raise FAILURES[request.text]()
        if verb == "wait":
            await asyncio.sleep(float(argument))
        elif verb == "block":
            time.sleep(float(argument))  # noqa: ASYNC251  the stuck event loop is the point
        elif verb == "warn":
            await self._app.conditions.set(CONDITION, argument.split())
        elif verb == "fail":
            self._app.fail_background("glossa" if argument == "glossa" else "bug")
        return mt_pb2.TranslateResponse(text=request.text)

    async def StreamTranslate(
        self, request: Any, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[Any]:
        """One message, then the failure that the text names, or silence until the drain.

        More of them without an end for `flood`.
        """
        text = request.request.text
        while text == "flood":
            long = mt_pb2.TranslateResponse(text="ñ" * 50_000)
            yield mt_pb2.StreamTranslateResponse(translation=long)
        yield mt_pb2.StreamTranslateResponse(translation=mt_pb2.TranslateResponse(text=text))
        if text in FAILURES:
            raise FAILURES[text]()
        await self._app.draining.wait()
        raise errors.Unavailable("SHUTTING_DOWN", "connect again")


class TrialStt(stt_pb2_grpc.SttServiceServicer):
    """Takes an audio stream and reads nothing of it."""

    async def StreamingTranscribe(
        self, requests: AsyncIterator[Any], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield


if __name__ == "__main__":
    settings = load(TrialSettings)
    app = TrialApp(settings)
    options = dict(serving.SERVER_OPTIONS)
    assert settings.server_options.keys() <= options.keys()
    serving.SERVER_OPTIONS[:] = (options | settings.server_options).items()
    serving.run(app, settings, app.conditions)
