"""The memory of this machine's NVIDIA cards, for Prometheus; looked at when it asks.

Several services may tell of the same card: take the greatest by its uuid, not the sum. Without a
card, its driver or its library there is no series, not one that is zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True)
class CardMemory:
    """One card. `uuid` names it for good, whatever number a container gives it."""

    uuid: str
    name: str
    used_bytes: int
    total_bytes: int


def watch_cards() -> None:
    """Has /metrics of this process tell of the cards; to be called once."""
    REGISTRY.register(_Cards())


def cards() -> Iterator[CardMemory]:
    """The cards that answer now."""
    try:
        import pynvml
    except ImportError:
        return
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return
    try:
        for number in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(number)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            yield CardMemory(
                pynvml.nvmlDeviceGetUUID(handle),
                pynvml.nvmlDeviceGetName(handle),
                int(memory.used),
                int(memory.total),
            )
    except pynvml.NVMLError:  # it fell off the bus, or tells nothing of its memory
        return
    finally:
        pynvml.nvmlShutdown()


class _Cards(Collector):
    def collect(self) -> Iterable[Metric]:
        labels = ("card", "name")
        used = GaugeMetricFamily(
            "glossa_card_memory_used_bytes", "Memory of a card in use, by all.", labels=labels
        )
        total = GaugeMetricFamily(
            "glossa_card_memory_bytes", "Memory that a card has.", labels=labels
        )
        for card in cards():
            used.add_metric((card.uuid, card.name), card.used_bytes)
            total.add_metric((card.uuid, card.name), card.total_bytes)
        return used, total
