"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One check. `advice` with `good`: it would be nice to have."""

    subject: str
    good: bool
    advice: str = ""

    def __str__(self) -> str:
        return self.subject + (f": {self.advice}" if self.advice else "")
