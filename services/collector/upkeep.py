"""What the queues need besides being written: looked at, trimmed, rid of what was forgotten."""

from __future__ import annotations

import time

import structlog

from services.collector import metrics
from services.collector.queues import Queues
from services.collector.redis_risks import RISKS
from services.collector.settings import CollectorSettings
from services.conditions import Conditions

log = structlog.get_logger()

QUEUE_CONDITION = "glossa.collector.v1.Queue"  # its name in gRPC health


class Upkeep:
    """Does what is due when it is asked to; keeps no time of its own."""

    def __init__(self, queues: Queues, settings: CollectorSettings, conditions: Conditions) -> None:
        self._queues = queues
        self._settings = settings
        self._conditions = conditions
        self._look_at = 0.0
        self._trim_at = 0.0
        self._risks: dict[str, str] = {}
        self._too_long: set[str] = set()

    async def note_away(self, message: str) -> None:
        """Redis takes nothing: says so until it was looked at again."""
        self._look_at = 0.0  # coming back it may be another one, or have other settings
        await self._conditions.set(QUEUE_CONDITION, [message])

    async def do_what_is_due(self, *, idle: bool) -> None:
        """Looks at Redis now and then, and trims it when nothing else is to be done.

        Raises:
            Unavailable: QUEUE_UNAVAILABLE; it is to be called again.
        """
        if time.monotonic() >= self._look_at:
            await self._look()
            self._look_at = time.monotonic() + self._settings.queue_check_interval_s
        if idle and time.monotonic() >= self._trim_at:
            await self._trim()
            self._trim_at = time.monotonic() + self._settings.trim_interval_s

    async def _look(self) -> None:
        await self._inspect()
        await self._measure()
        await self._queues.erase_step()

    async def _inspect(self) -> None:
        """Warns of a Redis that is set up so that it can lose pairs, or keep forgotten ones."""
        risks = await self._queues.risks()
        for setting in RISKS:
            metrics.QUEUE_AT_RISK.labels(setting).set(setting in risks)
        for setting, advice in risks.items():
            if self._risks.get(setting) != advice:
                log.warning("queue_at_risk", setting=setting, advice=advice)
        self._risks = risks
        await self._conditions.set(QUEUE_CONDITION, risks.values())

    async def _measure(self) -> None:
        for stream, length in (await self._queues.lengths()).items():
            is_too_long = length > self._settings.queue_length_alarm
            metrics.QUEUE_LENGTH.labels(stream).set(length)
            metrics.QUEUE_TOO_LONG.labels(stream).set(is_too_long)
            if is_too_long and stream not in self._too_long:
                log.warning(
                    "queue_too_long",
                    stream=stream,
                    length=length,
                    advice="it is trimmed once all of its consumer groups have acknowledged: look "
                    "for one that is missing, or that nobody reads with any more (XINFO GROUPS)",
                )
            if is_too_long:
                self._too_long.add(stream)
            else:
                self._too_long.discard(stream)

    async def _trim(self) -> None:
        trimmed = await self._queues.trim(self._settings.trim_keep_days)
        for stream, number in trimmed.items():
            metrics.TRIMMED.labels(stream).inc(number)
        if any(trimmed.values()):
            log.info("trimmed", **trimmed)
