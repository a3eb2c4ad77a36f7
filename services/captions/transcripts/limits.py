"""How much of a language people can read at a time.

Line lengths and reading speeds are those for adults of the Netflix Timed Text Style Guides, which
give them for each language (https://partnerhelp.netflixstudios.com, "Timed Text Style Guide");
wide characters count as two columns here, so that Japanese has 26 for its 13 of them. Two lines
and seven seconds at most are of its General Requirements, sections "Line Treatment" and "Duration".
The shortest duration there is 5/6 s; the BBC's guidelines ask for a third of a second a word
(https://www.bbc.co.uk/accessibility/forproducts/guides/subtitles/): a second is enough for three.
"""

from __future__ import annotations

from dataclasses import dataclass

LINES = 2
SHORTEST_CUE_MS = 1000
LONGEST_CUE_MS = 7000


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What one line holds, and how fast it may be read."""

    line_columns: int
    columns_per_s: float


_MOST = ReadingLimits(line_columns=42, columns_per_s=17)
_BY_LANGUAGE = {
    "en": ReadingLimits(line_columns=42, columns_per_s=20),
    "ja": ReadingLimits(line_columns=26, columns_per_s=8),
    "ko": ReadingLimits(line_columns=32, columns_per_s=24),
    "zh": ReadingLimits(line_columns=32, columns_per_s=18),
}


def reading_limits(language: str) -> ReadingLimits:
    """Those of a BCP 47 language, whatever its region or script."""
    return _BY_LANGUAGE.get(language.lower().partition("-")[0], _MOST)
