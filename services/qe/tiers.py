"""The engines of qe side by side: a request goes to all of them at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from itertools import chain

from services.conditions import Conditions
from services.errors import InvalidInput, NotFound
from services.qe.engine import LEARNED, RULES, Pair, chosen
from services.qe.queue import Scores
from services.qe.settings import QeSettings
from services.qe.tier import Tier

# What LoadModel calls the one model that it replaces.
LEARNED_TIER = "learned"


class Tiers:
    """The tiers that the settings ask for, in the order of their signals.

    Args:
        conditions: are told of each tier whether its engine is there.
    """

    def __init__(self, settings: QeSettings, conditions: Conditions) -> None:
        self._tiers = tuple(Tier(name, settings, conditions) for name in chosen(settings))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """From when every engine is loaded, or known to be missing, until all are closed.

        Raises:
            GlossaError: the rules cannot be loaded.
        """
        async with contextlib.AsyncExitStack() as stack:
            for tier in self._tiers:
                stack.push_async_callback(tier.close)
            async with asyncio.TaskGroup() as tasks:
                for tier in self._tiers:
                    tasks.create_task(tier.start())
            async with asyncio.TaskGroup() as tasks:
                workers = [tasks.create_task(tier.run()) for tier in self._tiers]
                try:
                    yield
                finally:
                    for worker in workers:
                        worker.cancel()

    async def score(self, pairs: Sequence[Pair], timeout_s: float | None) -> Scores:
        """The signals of all engines for each pair.

        Raises:
            Overloaded: an engine's queue is full.
            DeadlinePassed: an engine could not finish in time.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        results: list[asyncio.Future[Scores]] = []
        try:
            for tier in self._tiers:
                results.append(tier.enter(pairs, deadline))
            by_tier = await asyncio.gather(*results)
        finally:
            for result in results:
                result.cancel()  # leaves the queue, if it is still there
        return [tuple(chain.from_iterable(parts)) for parts in zip(*by_tier, strict=True)]

    @property
    def all(self) -> tuple[Tier, ...]:
        """Every tier: the learned one first where it is there, then the rules."""
        learned = [tier for tier in self._tiers if tier.name == LEARNED and tier.is_there]
        return (*learned, *(tier for tier in self._tiers if tier not in learned))

    @property
    def signal_names(self) -> tuple[str, ...]:
        """What is measured now, in the order of the signals."""
        there = (tier.engine for tier in self._tiers if tier.is_there)
        return tuple(name for engine in there for name in engine.signal_names)

    def replaceable(self, tier_name: str, engine: str = "") -> Tier:
        """The tier that LoadModel and Rollback mean.

        Raises:
            NotFound: NO_SUCH_TIER.
            InvalidInput: UNKNOWN_ENGINE.
        """
        tier = next((tier for tier in self._tiers if tier.name == LEARNED), None)
        if tier is None or (tier_name and tier_name != LEARNED_TIER):
            raise NotFound(
                "NO_SUCH_TIER",
                f"qe has no tier {tier_name!r} whose model can be changed; only {LEARNED_TIER!r} "
                f"has one, and only where qe was started with GLOSSA_QE_ENGINE={LEARNED}",
                tier=tier_name,
            )
        if engine and engine != LEARNED:
            raise InvalidInput(
                "UNKNOWN_ENGINE",
                f"the learned estimate is made by {LEARNED}, not by {engine!r}",
                engine=engine,
            )
        return tier


def tier_name(name: str) -> str:
    """What an engine's tier is called over gRPC."""
    return {RULES: "rules", LEARNED: LEARNED_TIER}.get(name, name)
