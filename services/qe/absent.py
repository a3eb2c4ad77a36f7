"""What stands where an engine should be: its signals are unset and say why, never a number."""

from __future__ import annotations

from collections.abc import Sequence

from services.errors import GlossaError
from services.qe.engine import Pair, Signal


def unset(engine: str, signal_names: Sequence[str], error: GlossaError) -> tuple[Signal, ...]:
    """Signals that say why `engine` did not measure them."""
    return tuple(Signal(name, None, f"{engine}: {error.reason}") for name in signal_names)


class AbsentEngine:
    """An engine that could not be loaded, or broke.

    Args:
        error: why it is not there.
    """

    def __init__(self, name: str, signal_names: tuple[str, ...], error: GlossaError) -> None:
        self.name = name
        self.model = f"{name}: {error.reason}"
        self.signal_names = signal_names
        self._signals = unset(name, signal_names, error)

    def score(self, pairs: Sequence[Pair]) -> list[tuple[Signal, ...]]:
        return [self._signals] * len(pairs)

    def close(self) -> None:
        """Holds nothing."""
