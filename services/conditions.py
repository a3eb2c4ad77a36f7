"""What a service says of its surroundings, beside being up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from grpc_health.v1 import health, health_pb2


class Conditions:
    """What a service says of its surroundings, beside being up: health names of their own.

    A collector whose Redis is away serves: it answers, waits, and /readyz is 200. Whoever watches
    the surroundings finds NOT_SERVING under their name, and the reasons in the text of /readyz.

    Args:
        names: of the conditions, full gRPC names; each begins as not looked at.
    """

    def __init__(self, *names: str) -> None:
        self._warnings: dict[str, tuple[str, ...]] = dict.fromkeys(names, ("not looked at yet",))
        self._servicer: health.aio.HealthServicer | None = None

    async def attach(self, servicer: health.aio.HealthServicer) -> None:
        """From now on this health servicer tells."""
        self._servicer = servicer
        for name in self._warnings:
            await self._tell(name)

    async def set(self, name: str, warnings: Iterable[str]) -> None:
        """Sets what is wrong under a name; nothing is wrong without a warning."""
        self._warnings[name] = tuple(warnings)
        await self._tell(name)

    def lines(self) -> list[str]:
        """A line a warning; may be called from another thread."""
        conditions = list(self._warnings.items())
        return [f"warning: {name}: {text}" for name, texts in conditions for text in texts]

    async def _tell(self, name: str) -> None:
        if self._servicer is not None:
            await self._servicer.set(name, health_status(serving=not self._warnings[name]))


def health_status(*, serving: bool) -> Any:
    """SERVING or NOT_SERVING, as the protocol of health has it."""
    return health_pb2.HealthCheckResponse.ServingStatus.Value(
        "SERVING" if serving else "NOT_SERVING"
    )
