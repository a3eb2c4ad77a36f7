"""How one service is, as its port for operators tells: /readyz and /metrics."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from cli.metrics_page import MetricsPage

if TYPE_CHECKING:
    import aiohttp

_TIMEOUT_S = 3.0
_STARTED = "process_start_time_seconds"


class State(StrEnum):
    """What it does now."""

    SERVING = "serving"
    NOT_SERVING = "not serving"  # it loads its model, or stops
    STUCK = "stuck"  # it is there and does not move
    AWAY = "away"


@dataclass(frozen=True)
class ServiceState:
    """One service.

    Args:
        warnings: what is wrong in its surroundings, by its own words.
        up_s: since its process began; None where it does not tell.
        page: what it counts; empty when it does not answer.
    """

    name: str
    state: State
    warnings: tuple[str, ...] = ()
    up_s: float | None = None
    page: MetricsPage = field(default_factory=lambda: MetricsPage(""))


async def look_at(name: str, http: aiohttp.ClientSession, url: str) -> ServiceState:
    """Asks a service; `url` is that of its port for operators."""
    import aiohttp

    try:
        async with asyncio.timeout(_TIMEOUT_S):
            async with http.get(f"{url}/readyz") as answer:
                is_ready, text = answer.status == 200, await answer.text()
            async with http.get(f"{url}/metrics") as answer:
                page = MetricsPage(await answer.text())
    except TimeoutError:
        return ServiceState(name, State.STUCK)
    except (aiohttp.ClientError, OSError):
        return ServiceState(name, State.AWAY)
    except ValueError:
        return ServiceState(name, State.AWAY, (f"another program answers on {name}'s port",))
    started_at = page.total(_STARTED)
    return ServiceState(
        name,
        State.SERVING if is_ready else State.STUCK if "stuck" in text else State.NOT_SERVING,
        tuple(
            line.removeprefix("warning: ")
            for line in text.splitlines()
            if line.startswith("warning: ")
        ),
        time.time() - started_at if started_at else None,
        page,
    )
