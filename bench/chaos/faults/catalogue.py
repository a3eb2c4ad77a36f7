"""Every fault by name, and what the short form has of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from bench.chaos.faults import kills
from bench.chaos.stage import Inflict
from bench.chaos.verdict import Verdict


@dataclass(frozen=True)
class Staged:
    """A fault that falls into a sermon on a stack which others use before and after it.

    Args:
        rig: which stack, a key of bench.chaos.rigs.RIGS.
    """

    name: str
    summary: str
    inflict: Inflict
    rig: str = "plain"


@dataclass(frozen=True)
class Alone:
    """A fault that sees to everything itself."""

    name: str
    summary: str
    run: Callable[[Random], Awaitable[Verdict]]


Fault = Staged | Alone


def short_form() -> list[Fault]:
    """A few minutes: every fault once."""
    return [
        Staged(
            "kill",
            "kill -9 of each service, once",
            partial(kills.kill_each, services=kills.SERVICES, times=1),
        ),
        Staged(
            "gateway",
            "gateway killed at 3 random frames",
            partial(kills.kill_gateway_at_frames, times=3),
        ),
    ]


def long_form() -> list[Fault]:
    """Every fault as often as is promised; without the soak about half an hour."""
    return [
        *(
            Staged(
                f"kill-{service}",
                f"kill -9 of {service}, 5 times",
                partial(kills.kill_each, services=(service,), times=5),
            )
            for service in kills.SERVICES
        ),
        Staged(
            "gateway",
            "gateway killed at 20 random frames",
            partial(kills.kill_gateway_at_frames, times=20),
        ),
    ]
