"""An engine of qe that breaks when a test says so."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Sequence

from services.errors import Unavailable
from services.qe.engine import EngineEntry, Pair, Signal
from services.qe.settings import QeSettings

ENTRY = EngineEntry("tests.qe.scripted:load", ("scripted",), gains_by_batches=True)
VALUES = {"good": 0.9, "nan": float("nan"), "beyond": 1.5}


class Script:
    """What the engines of one test do, and what they were asked."""

    def __init__(self) -> None:
        self.can_load = True
        self.is_broken = False
        self.loads = 0
        # Set, each load waits a while for another one to meet it.
        self.meeting: threading.Barrier | None = None
        self.have_met = False
        self.closed = 0
        self.batches: list[list[str]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    async def wait_for_batches(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.batches) < count:
                await asyncio.sleep(0.005)


script = Script()


class ScriptedEngine:
    """Measures a pair by its source text: a key of VALUES, or "bad", which breaks a batch."""

    name = "scripted"
    model = "scripted/1"
    signal_names = ("scripted",)

    def __init__(self) -> None:
        self._script = script

    def score(self, pairs: Sequence[Pair]) -> list[tuple[Signal, ...]]:
        texts = [pair.source_text for pair in pairs]
        self._script.batches.append(texts)
        self._script.may_go_on.wait(10)
        if self._script.is_broken or "bad" in texts:
            raise RuntimeError("the runtime fell over")
        return [(Signal("scripted", VALUES.get(text, 0.5), self.model),) for text in texts]

    def close(self) -> None:
        self._script.closed += 1


def load(settings: QeSettings) -> ScriptedEngine:
    script.loads += 1
    if script.meeting is not None:
        with contextlib.suppress(threading.BrokenBarrierError):
            script.meeting.wait()
            script.have_met = True
    if not script.can_load:
        raise Unavailable("MODEL_MISSING", "there is no model")
    return ScriptedEngine()
