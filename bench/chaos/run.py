"""Runs faults one after another, those of one stack together."""

from __future__ import annotations

import sys
from collections.abc import Coroutine, Sequence
from random import Random

from rich.console import Console

from bench.chaos.faults.catalogue import Alone, Fault, Staged
from bench.chaos.rigs import RIGS
from bench.chaos.table import show
from bench.chaos.verdict import Verdict
from services.errors import GlossaError

_TABLE_COLUMNS = 110  # also where stderr is no terminal


async def run(faults: Sequence[Fault], seed: int) -> list[Verdict]:
    """Tries them all; prints progress and the table to stderr.

    A fault's moments depend on `seed` and its name alone: --only finds them again.
    """
    verdicts: dict[str, Verdict] = {}
    for fault in faults:
        if isinstance(fault, Staged) and (obstacle := fault.obstacle()):
            verdicts[fault.name] = Verdict(fault.name, skipped=obstacle)
    staged = [each for each in faults if isinstance(each, Staged) and each.name not in verdicts]
    for rig in dict.fromkeys(each.rig for each in staged):
        async with RIGS[rig]() as stage:
            for each in staged:
                if each.rig == rig:
                    _tell(each)
                    playing = stage.play(each.name, each.inflict, _chance(seed, each))
                    verdicts[each.name] = await _told(each.name, playing)
    for fault in faults:
        if isinstance(fault, Alone):
            _tell(fault)
            verdicts[fault.name] = await _told(fault.name, fault.run(_chance(seed, fault)))
    ordered = [verdicts[fault.name] for fault in faults]
    show(ordered, Console(stderr=True, highlight=False, width=_TABLE_COLUMNS))
    return ordered


async def _told(name: str, trying: Coroutine[None, None, Verdict]) -> Verdict:
    """The verdict; of a fault that could not be tried to its end, one that says why."""
    try:
        return await trying
    except TimeoutError:
        return Verdict(name, failures=("it did not come to its end in time",))
    except GlossaError as error:
        return Verdict(name, failures=(f"{error.reason}: {error}",))


def _chance(seed: int, fault: Fault) -> Random:
    return Random(f"{seed}/{fault.name}")


def _tell(fault: Fault) -> None:
    print(f"glossa: {fault.name}: {fault.summary} ...", file=sys.stderr)
