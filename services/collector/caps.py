"""What keeps a pair from being accepted unseen, however well it scores.

A learned estimate and an independent translation hardly see one wrong word: a lost negation or
another number still scores 0.9. Rules see just that, so a rule that fails caps the pair at
`moderate` and never changes its score. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

# The names are those of ReviewItem.reasons in collector.proto.
MISSING_TERM = "missing_term"
NUMBER = "number"
NEGATION = "negation"
DOUBTFUL_SPEECH = "doubtful_speech"
DOUBTFUL_TRANSLATION = "doubtful_translation"
CAPS = (NEGATION, NUMBER, MISSING_TERM, DOUBTFUL_TRANSLATION, DOUBTFUL_SPEECH)

# The rules' signals (docs/protocol.md, Signals): below the value, the pair is capped.
_LEAST = {
    "negation_parity": (1.0, NEGATION),
    "number_parity": (1.0, NUMBER),
    "bible_references": (1.0, NUMBER),
    "glossary_terms": (1.0, MISSING_TERM),
    # No verse of the Bible in English and Spanish is below (services/qe/signals.py).
    "repetition": (0.5, DOUBTFUL_TRANSLATION),
}
# Transcript.flags and missing_term; every other flag is of the translation.
_FLAGS = {
    "low_confidence": DOUBTFUL_SPEECH,
    "no_speech": DOUBTFUL_SPEECH,
    "repetition": DOUBTFUL_SPEECH,
    "second_pass": DOUBTFUL_SPEECH,
    "missing_term": MISSING_TERM,
}


def caps(
    signals: Mapping[str, float | None], flags: Collection[str], missing_terms: Collection[object]
) -> tuple[str, ...]:
    """Why a pair is moderate at most, in the order of CAPS; empty when nothing speaks against it.

    A signal that is missing caps nothing here: what was not measured is the business of bands.py.

    Args:
        signals: values by name, [0, 1].
        flags: of the transcript and of the translation.
        missing_terms: glossary terms of the source that the target lacks.
    """
    found = {_FLAGS.get(flag, DOUBTFUL_TRANSLATION) for flag in flags}
    if missing_terms:
        found.add(MISSING_TERM)
    for name, (least, cap) in _LEAST.items():
        value = signals.get(name)
        if value is not None and value < least:
            found.add(cap)
    return tuple(cap for cap in CAPS if cap in found)
