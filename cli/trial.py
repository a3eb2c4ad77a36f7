"""One session fed to a running stack, followed to its very end, timed and checked for losses."""

from __future__ import annotations

import asyncio
import os
import string
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import grpc

from cli.client import (
    CaptionSubscriber,
    Chunk,
    Closed,
    SessionRequest,
    SpeakerClient,
    SpeakerEvent,
    as_glossa_error,
)
from cli.held_audio import SendTimes
from cli.ledger import Collected, Ledger, missing, read_collected
from glossa.captions.v1 import captions_pb2
from glossa.types.v1 import models_pb2, models_pb2_grpc
from services.audio import ms_to_samples
from services.channels import open_channel

_CAPTIONS_TIMEOUT_S = 30.0
_MODEL_TIMEOUT_S = 10.0
SETTLE_TIMEOUT_S = 60.0  # without any progress
_SETTLE_INTERVAL_S = 0.2

Show = Callable[[captions_pb2.SubscribeResponse], None]


@dataclass(frozen=True)
class Outcome:
    """What came of it. Times in milliseconds, one for each target-language final."""

    session_id: str
    audio_s: float
    ledger: Ledger
    collected: Collected
    lags_ms: list[float]
    engines_ms: list[float]
    overheads_ms: list[float]
    lost: list[str]


class Trial:
    """Speaker and display at once, on one clock."""

    def __init__(
        self,
        addresses: Mapping[str, str],
        request: SessionRequest,
        *,
        speed: float,
        show: Show,
        on_event: Callable[[SpeakerEvent], None],
    ) -> None:
        """`addresses` has host:port of gateway, captions and collector."""
        self._addresses = addresses
        self._targets = request.target_languages
        self._show = show
        self._speaker = SpeakerClient(addresses["gateway"], request, speed=speed, on_event=on_event)
        self._display_ready = asyncio.Event()
        self._shown: set[tuple[int, str]] = set()
        self._lags_ms: list[float] = []
        self._engines_ms: list[float] = []
        self._overheads_ms: list[float] = []

    @property
    def sent_times(self) -> SendTimes:
        """When each sample of the audio was sent, on time.monotonic's clock."""
        return self._speaker.sent_times

    async def run(self, source: AsyncIterator[Chunk]) -> Outcome:
        """Sends all of `source`; returns when everything of it has arrived everywhere, or cannot.

        Raises:
            GlossaError: what a service refused for good.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                following = tasks.create_task(self._follow())
                async with asyncio.timeout(_CAPTIONS_TIMEOUT_S):
                    await self._display_ready.wait()
                closed = await self._speaker.stream(source)
                outcome = await self._settle(closed)
                following.cancel()
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise
        return outcome

    async def _follow(self) -> None:
        async for event in CaptionSubscriber(
            self._addresses["captions"], token=os.environ.get("GLOSSA_CAPTIONS_VIEW_TOKEN", "")
        ).events():
            if event.WhichOneof("event") == "caught_up":
                self._display_ready.set()
            elif event.session_id == self._speaker.session_id:
                self._show(event)
                if event.WhichOneof("event") == "caption" and event.caption.is_final:
                    self._time(event.caption, time.monotonic())

    def _time(self, caption: captions_pb2.Caption, shown_at_s: float) -> None:
        key = (caption.segment_id, caption.language)
        if key in self._shown:
            return
        self._shown.add(key)
        if caption.is_source:
            return
        self._engines_ms.append(caption.engine_ms)
        sent_times = self._speaker.sent_times
        spoken_at_s = sent_times.of(ms_to_samples(caption.end_offset_ms))
        decidable_at_s = sent_times.of(ms_to_samples(caption.endpoint_offset_ms))
        if spoken_at_s is not None:
            self._lags_ms.append((shown_at_s - spoken_at_s) * 1000)
        if decidable_at_s is not None:
            self._overheads_ms.append((shown_at_s - decidable_at_s) * 1000 - caption.engine_ms)

    async def _settle(self, closed: Closed) -> Outcome:
        """Waits until nothing is missing, or nothing has moved for SETTLE_TIMEOUT_S."""
        ledger = Ledger(closed.session_id)
        collected: Collected | None = None
        moved_at_s = time.monotonic()
        before: object = None
        async with (
            open_channel(self._addresses["gateway"]) as gateway,
            open_channel(self._addresses["collector"]) as collector,
        ):
            while True:
                try:
                    await ledger.read_on(gateway)
                    collected = await read_collected(collector, closed.session_id)
                except grpc.aio.AioRpcError:
                    pass  # it is being started again; the limit below is the judge
                lost = missing(ledger, collected, self._targets, self._shown, closed.final_count)
                if not lost and collected is not None:
                    break
                if lost != before:
                    before, moved_at_s = lost, time.monotonic()
                if time.monotonic() - moved_at_s > SETTLE_TIMEOUT_S:
                    break
                await asyncio.sleep(_SETTLE_INTERVAL_S)
        return Outcome(
            session_id=closed.session_id,
            audio_s=self._speaker.sent_s,
            ledger=ledger,
            collected=collected or Collected(0, {}),
            lags_ms=self._lags_ms,
            engines_ms=self._engines_ms,
            overheads_ms=self._overheads_ms,
            lost=lost,
        )


async def read_engines(addresses: Mapping[str, str]) -> dict[str, str]:
    """Engine and model of stt, mt and qe, as "pocketsphinx/en-us"."""
    engines = {}
    for name in ("stt", "mt", "qe"):
        async with open_channel(addresses[name]) as channel:
            try:
                model = await models_pb2_grpc.ModelServiceStub(channel).GetModel(
                    models_pb2.GetModelRequest(), timeout=_MODEL_TIMEOUT_S
                )
            except grpc.aio.AioRpcError as error:
                raise as_glossa_error(error) from error
        # Some models carry their engine's name already.
        named = not model.model or model.model.startswith(f"{model.engine}/")
        engines[name] = (model.model or model.engine) if named else f"{model.engine}/{model.model}"
    return engines


def percentiles_ms(values_ms: list[float]) -> dict[str, float | None]:
    """p50 and p95, with one decimal; None when there is nothing to rank."""
    import numpy as np

    if not values_ms:
        return {"p50": None, "p95": None}
    p50, p95 = np.percentile(values_ms, [50, 95])
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1)}


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Word errors per word of the reference, both lower case and without punctuation."""
    import jiwer

    return round(float(jiwer.wer(normalised(reference), normalised(hypothesis))), 4)


def normalised(text: str) -> str:
    kept = "".join(
        " " if mark in string.punctuation + "¿¡—–…“”‘" else mark
        for mark in (text.lower().replace("'", "").replace("’", ""))
    )
    return " ".join(kept.split())
