"""How full the disk is, and how far the journal; looked at when Prometheus asks."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

from services.gateway import metrics
from services.gateway.journal import Journal


def show_disk(folder: Path, journal: Journal) -> None:
    """Has the gauges tell of this folder's disk and of this journal from now on."""
    metrics.JOURNAL_SEQUENCE.set_function(lambda: journal.last_sequence)
    metrics.JOURNAL_BYTES.set_function(_or_nan(journal.size_bytes))
    metrics.DISK_FREE_BYTES.set_function(_or_nan(lambda: shutil.disk_usage(folder).free))
    metrics.DISK_BYTES.set_function(_or_nan(lambda: shutil.disk_usage(folder).total))


def _or_nan(look: Callable[[], int]) -> Callable[[], float]:
    """A disk that does not answer is no figure, and no reason to be without the other metrics."""

    def measure() -> float:
        try:
            return look()
        except OSError:
            return math.nan

    return measure
