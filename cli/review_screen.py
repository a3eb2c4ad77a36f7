"""What a reviewer sees of a pair in the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

KEYS = (  # those of the page, as far as a terminal has them
    "a accept · e edit translation · o edit original · r reject · s skip · z take changes back · "
    "p play · u undo · q quit"
)
_REASONS = {  # in the words of the page
    "low_score": "low score",
    "missing_term": "a word of the church is missing",
    "disagreement": "translations disagree",
    "number": "numbers differ",
    "negation": "a “not” was lost or won",
    "doubtful_speech": "speech is doubtful",
    "doubtful_translation": "translation is doubtful",
    "not_measured": "not everything was measured",
}


@dataclass(frozen=True)
class Draft:
    """What a reviewer makes of a pair: both texts as they would be sent now."""

    source_text: str
    target_text: str


class ReviewScreen:
    """Draws on stderr, so that stdout stays for what a program reads."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)

    def show(self, item: Any, draft: Draft, progress: Any) -> None:
        """Draws a pair (collector_pb2.ReviewItem) with the progress (ReviewProgress)."""
        pair = item.pair
        start_s = pair.start_offset_ms // 1000
        self.console.rule(style="dim")
        self.console.print(
            Text.assemble(
                (progress_line(progress), "dim"),
                ("  ·  ", "dim"),
                (clean(pair.pair_id), "dim"),
                (f"  at {start_s // 60:02d}:{start_s % 60:02d}", "dim"),
                ("  ·  audio: p" if item.has_audio else "  ·  no audio kept", "dim"),
            )
        )
        reasons = reason_names(item.reasons)
        self.console.print(
            Text.assemble(
                (f"score {pair.quality_score:.2f}", "bold"),
                (f"  {clean(reasons)}", "yellow"),
                (f"  {clean(', '.join(pair.flags))}" if pair.flags else "", "red"),
            )
        )
        if measured := [signal for signal in pair.signals if signal.HasField("value")]:
            self.console.print(
                Text(
                    " · ".join(f"{clean(signal.name)} {signal.value:.2f}" for signal in measured),
                    style="dim",
                )
            )
        terms = [(term.source, term.target) for term in pair.missing_terms]
        self._show_text(
            pair.source_language, draft.source_text, pair.source_text, (term for term, _ in terms)
        )
        self._show_text(pair.target_language, draft.target_text, pair.target_text, ())
        for source, target in terms:
            self.note(
                f"the glossary says {source!r} is {target!r}; the translation lacks it", "red"
            )

    def _show_text(self, language: str, text: str, shown: str, terms: Iterable[str]) -> None:
        line = Text(clean(text), style="bold" if text == shown else "bold green")
        for term in terms:
            line.highlight_regex(rf"(?i)\b{re.escape(clean(term))}\b", "bold reverse yellow")
        changed = ("  (changed)", "green") if text != shown else ""
        self.console.print(Text.assemble((f"{clean(language):<3} ", "dim"), line, changed))

    def note(self, text: str, style: str = "cyan") -> None:
        """A line that is no part of a pair."""
        self.console.print(Text(f"-- {clean(text)}", style=style))


def reason_names(reasons: Iterable[str]) -> str:
    """Why a pair is doubtful, in words."""
    return ", ".join(_REASONS.get(reason, reason) for reason in reasons)


def progress_line(progress: Any) -> str:
    """A bar, and `12 of 40 reviewed, 2 open now`."""
    total = progress.reviewed_count + progress.open_count
    filled = round(20 * progress.reviewed_count / total) if total else 20
    bar = "█" * filled + "░" * (20 - filled)
    return f"{bar} {progress.reviewed_count} of {total} reviewed, {progress.leased_count} open now"


def clean(text: str) -> str:
    """Text without control characters: what was recognised must not steer the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)
