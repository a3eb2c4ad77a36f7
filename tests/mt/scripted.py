"""An engine that does what a test wrote down, in an mt that is real but for it: gRPC and all.

It is input for what lies around engines, never stands in for one that is tested.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import prometheus_client
import pytest

from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from glossa.types.v1 import models_pb2_grpc
from services.mt import engine as engines
from services.mt.engine import (
    Capabilities,
    EngineOptions,
    Job,
    LanguagePair,
    Rendering,
    RuntimeEntry,
    Task,
)
from services.mt.server import MtApp
from services.mt.settings import MtSettings
from services.rpc_log import RpcLog

EN_ES = LanguagePair("en", "es")
ES_EN = LanguagePair("es", "en")
STREAMING = Capabilities((EN_ES,), uses_context=True, streams=True, continues_text=True)
WAIT_S = 15.0
Serve = Callable[..., Any]  # see the fixture `serve`

Say = Callable[[Job], str | Rendering]


@dataclass
class Script:
    """What one model does.

    Args:
        say: the answer to a job; raises what the engine would. An engine that streams tells it
            word by word.
        load_error: what its loader raises.
    """

    say: Say
    capabilities: Capabilities = field(default_factory=lambda: Capabilities((EN_ES,)))
    load_error: Exception | None = None
    calls: list[list[Job]] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    told_words: int = 0  # in all
    is_closed: bool = False
    # Holds the engine before each call, and before each word.
    calls_go: threading.Event = field(default_factory=threading.Event)
    words_go: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self.calls_go.set()
        self.words_go.set()

    @property
    def jobs(self) -> list[Job]:
        return [job for call in self.calls for job in call]


class ScriptedEngine:
    name = "scripted"
    restarts = 0

    def __init__(self, model: str, script: Script) -> None:
        self._model = model
        self._script = script
        self.capabilities = script.capabilities

    def model(self, pair: LanguagePair) -> str:
        return f"scripted/{self._model}"

    def translate(self, tasks: Sequence[Task]) -> list[Rendering]:
        script = self._script
        script.calls.append([task.job for task in tasks])
        script.tasks += tasks
        script.arrived.release()
        assert script.calls_go.wait(WAIT_S)
        return [self._answered(task) for task in tasks]

    def _answered(self, task: Task) -> Rendering:
        script = self._script
        said = script.say(task.job)
        rendering = said if isinstance(said, Rendering) else Rendering(said)
        if not self.capabilities.streams:
            return rendering
        words = rendering.text.split(" ")
        told: list[str] = []
        for word in words:
            assert script.words_go.wait(WAIT_S)
            if not task.is_wanted:
                break
            told.append(word)
            script.told_words += 1
            task.tell(" ".join(told), len(told))
        return Rendering(" ".join(told), rendering.unknown_words, len(told))

    def close(self) -> None:
        self._script.is_closed = True


_SCRIPTS: dict[str, Script] = {}


def load(options: EngineOptions) -> ScriptedEngine:
    script = _SCRIPTS[options.model]
    if script.load_error is not None:
        raise script.load_error
    return ScriptedEngine(options.model, script)


@contextmanager
def scripts(**by_model: Script) -> Iterator[None]:
    """The models that the runtime "scripted" has meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        entry = RuntimeEntry("tests.mt.scripted:load", "nothing to install")
        patch.setitem(engines.RUNTIMES, "scripted", entry)
        for model, script in by_model.items():
            patch.setitem(_SCRIPTS, model, script)
        yield
        for script in by_model.values():  # so that nothing waits for ever
            script.calls_go.set()
            script.words_go.set()


class Mt:
    """mt in this process, asked over gRPC; `app.translator()` for what callers do not see."""

    def __init__(self, app: MtApp, channel: grpc.aio.Channel) -> None:
        self.app = app
        self.models: Any = models_pb2_grpc.ModelServiceStub(channel)
        self._stub: Any = mt_pb2_grpc.MtServiceStub(channel)

    def translate(
        self, text: str, pair: LanguagePair = EN_ES, timeout_s: float = WAIT_S, **more: object
    ) -> grpc.aio.UnaryUnaryCall:
        return self._stub.Translate(_request(text, pair, more), timeout=timeout_s)

    def stream(
        self, text: str, pair: LanguagePair = EN_ES, timeout_s: float = WAIT_S, **more: object
    ) -> grpc.aio.UnaryStreamCall:
        request = mt_pb2.StreamTranslateRequest(request=_request(text, pair, more))
        return self._stub.StreamTranslate(request, timeout=timeout_s)


@asynccontextmanager
async def serving_mt(
    models_dir: Path, by_model: dict[str, Script], **settings: Any
) -> AsyncIterator[Mt]:
    """An mt whose tiers are scripted: "final", and "draft" where there is such a script.

    The scripts are also models in `models_dir`, to be loaded by name.
    """
    for model in by_model:
        (models_dir / model).touch()
    tiers = {"runtime": "scripted", "model": "final"}
    if "draft" in by_model:
        tiers |= {"draft_runtime": "scripted", "draft_model": "draft"}
    with scripts(**by_model):
        app = MtApp(MtSettings.model_validate({"models_dir": models_dir, **tiers, **settings}))
        server = grpc.aio.server(interceptors=[RpcLog()])
        app.register(server)
        port = server.add_insecure_port("127.0.0.1:0")
        async with app.running():
            await server.start()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield Mt(app, channel)
            await server.stop(0)


def counted(name: str, **labels: str) -> float:
    """A metric of this process; 0 when it has none yet."""
    return prometheus_client.REGISTRY.get_sample_value(name, labels) or 0.0


def _request(text: str, pair: LanguagePair, more: dict[str, Any]) -> mt_pb2.TranslateRequest:
    return mt_pb2.TranslateRequest(
        text=text, source_language=pair.source, target_language=pair.target, **more
    )


def says(text: str) -> Script:
    return Script(lambda job: text)


async def arrival(script: Script) -> None:
    """Waits until the engine is called once more."""
    async with asyncio.timeout(WAIT_S):
        assert await asyncio.to_thread(script.arrived.acquire, timeout=WAIT_S)


async def reached(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)


async def failure(call: grpc.aio.UnaryUnaryCall) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value
