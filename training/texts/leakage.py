"""Whether a text that is to be trained on stands in what a model is judged with.

    leakage = Leakage.of_rows(test)
    leakage.is_leaked("...")
    kept, leaked_count = leakage.parted(rows)

A mix has all that in one file, so that what is added to its rows later brings none of it back:

    leakage = Leakage.of_rows(read_rows(judged_file(mix)))

A row of a session that models are judged with is leaked, whatever it says. Words are compared
without case and punctuation. A text is leaked when it

- is one of the evaluation's texts,
- shares a run of 13 words with one (Brown et al. 2020, appendix C, count these as contamination),
- holds a whole one of 8 to 12 words, or
- has half of its runs of 8 words from them: a near copy.

What is shorter is everyday language ("I don't know."): only the same text counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from services.collector.filters import words
from services.errors import InvalidInput
from training.rows import Row

JUDGED = "judged.jsonl"
SHORT_RUN_WORDS = 8
LONG_RUN_WORDS = 13
NEAR_COPY_SHARE = 0.5


def judged_file(mix: Path) -> Path:
    """What models are judged with in a mix's folder. Raises InvalidInput MIX_TOO_OLD."""
    if (mix / "train.jsonl").is_file() and not (mix / JUDGED).is_file():
        raise InvalidInput(
            "MIX_TOO_OLD",
            f"{mix} has no {JUDGED}: it is from before mixes kept what is judged; make it anew "
            "with `python -m training.mix`",
        )
    return mix / JUDGED


class Leakage:
    """The evaluation's texts, to be asked about others; in any language, both sides of a pair.

    Args:
        sessions: which models are judged with.
    """

    def __init__(self, evaluation_texts: Iterable[str], sessions: Iterable[str] = ()) -> None:
        self._sessions = frozenset(sessions)
        self._texts: set[str] = set()
        self._short_runs: set[str] = set()
        self._whole_or_long_runs: set[str] = set()
        for text in evaluation_texts:
            said = words(text)
            if not said:
                continue
            self._texts.add(" ".join(said))
            self._short_runs.update(_runs(said, SHORT_RUN_WORDS))
            length = min(len(said), LONG_RUN_WORDS)
            if length >= SHORT_RUN_WORDS:
                self._whole_or_long_runs.update(_runs(said, length))

    @classmethod
    def of_rows(cls, rows: Iterable[Row]) -> Leakage:
        """Both texts of each pair, and the sessions of sermons."""
        rows = list(rows)
        return cls(
            (text for row in rows for text in (row.source, row.target)),
            (row.group for row in rows if row.kind == "sermon" and row.group),
        )

    def parted(self, rows: Iterable[Row]) -> tuple[list[Row], int]:
        """The rows that may be trained on, and how many may not."""
        kept, leaked_count = [], 0
        for row in rows:
            if self.holds(row):
                leaked_count += 1
            else:
                kept.append(row)
        return kept, leaked_count

    def holds(self, row: Row) -> bool:
        """Whether its session, or one of its texts, is judged with."""
        return self.bars(row.group, row.source, row.target)

    def bars(self, session_id: str, *texts: str) -> bool:
        """The same of texts that were said in a session; "" for none."""
        return session_id in self._sessions or any(map(self.is_leaked, texts))

    def is_leaked(self, text: str) -> bool:
        said = words(text)
        if " ".join(said) in self._texts:
            return True
        short = list(_runs(said, SHORT_RUN_WORDS))
        known_count = sum(run in self._short_runs for run in short)
        if not known_count:
            return False
        return known_count >= NEAR_COPY_SHARE * len(short) or any(
            run in self._whole_or_long_runs
            for length in range(SHORT_RUN_WORDS, LONG_RUN_WORDS + 1)
            for run in _runs(said, length)
        )


def _runs(said: Sequence[str], length: int) -> Iterable[str]:
    return (" ".join(said[start : start + length]) for start in range(len(said) - length + 1))
