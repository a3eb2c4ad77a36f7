"""Every fault by name, and what the short form has of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from random import Random

from bench.chaos import rigs
from bench.chaos.faults import (
    clocks,
    damage,
    disks,
    freezes,
    kills,
    ladder,
    networks,
    overload,
    redis_faults,
    soak,
)
from bench.chaos.stage import Inflict
from bench.chaos.verdict import Verdict


@dataclass(frozen=True)
class Staged:
    """A fault that falls into a sermon on a stack which others use before and after it.

    Args:
        rig: which stack, a key of bench.chaos.rigs.RIGS.
        obstacle: why it cannot be tried here; empty: it can.
    """

    name: str
    summary: str
    inflict: Inflict
    rig: str = "plain"
    obstacle: Callable[[], str] = lambda: ""


@dataclass(frozen=True)
class Alone:
    """A fault that sees to everything itself."""

    name: str
    summary: str
    run: Callable[[Random], Coroutine[None, None, Verdict]]


Fault = Staged | Alone


def short_form() -> list[Fault]:
    """Some minutes: every fault once, without the soak."""
    return [
        Staged(
            "kill",
            "kill -9 of each service, once",
            partial(kills.kill_each, services=kills.SERVICES, times=1),
        ),
        Staged(
            "freeze",
            "SIGSTOP of each service, once",
            partial(freezes.freeze_each, services=freezes.SERVICES, times=1),
        ),
        Staged(
            "gateway",
            "gateway killed at 3 random frames",
            partial(kills.kill_gateway_at_frames, times=3),
        ),
        Staged("redis", "Redis down, frozen, without memory, restarted empty", redis_faults.each),
        *_rigged(),
    ]


def long_form(soak_hours: float) -> list[Fault]:
    """Every fault as often as is promised; half an hour, and the soak's hours."""
    return [
        *(
            Staged(
                f"kill-{service}",
                f"kill -9 of {service}, 5 times",
                partial(kills.kill_each, services=(service,), times=5),
            )
            for service in kills.SERVICES
        ),
        *(
            Staged(
                f"freeze-{service}",
                f"SIGSTOP of {service}, 3 times",
                partial(freezes.freeze_each, services=(service,), times=3),
            )
            for service in freezes.SERVICES
        ),
        Staged(
            "gateway",
            "gateway killed at 20 random frames",
            partial(kills.kill_gateway_at_frames, times=20),
        ),
        Staged("redis-down", "Redis killed again and again for seconds", redis_faults.down),
        Staged("redis-frozen", "SIGSTOP of Redis", redis_faults.frozen),
        Staged("redis-memory", "Redis without memory", redis_faults.without_memory),
        Staged("redis-empty", "Redis restarted empty", redis_faults.empty),
        *_rigged(),
        Alone(
            "soak",
            f"{soak_hours:g} h of audio, and displays that come and go",
            partial(soak.soak, hours=soak_hours),
        ),
    ]


def _rigged() -> list[Fault]:
    """What needs a stack that was made for it, and what needs none."""
    return [
        Staged("network", "300 ms, 5 % loss, resets to engines", networks.storm, "rigged"),
        Staged("partition", "no way to any engine", networks.partition, "rigged"),
        Staged(
            "journal-full", "disk of the journal full", disks.journal_full, "rigged", _needs_root
        ),
        Staged("redis-full", "disk of Redis full", disks.redis_full, "rigged", _needs_root),
        Staged("ladder", "final model, mt, qe away in turn", ladder.down_and_up, "rigged"),
        Staged(
            "overload", "a machine too slow for one more session", overload.slow_machine, "rigged"
        ),
        Staged("clock", "the time of day jumps by an hour", clocks.jump, "clock", _needs_faketime),
        Alone("journal-damage", "bytes of the journal changed", damage.flipped),
    ]


def _needs_root() -> str:
    return "" if rigs.can_mount() else "a small disk needs root (mount): not allowed here"


def _needs_faketime() -> str:
    return "" if rigs.faketime() else "libfaketime is not installed (apt-get install libfaketime)"
