"""How many words a recogniser gets wrong, in all and by accent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import jiwer

from cli.trial import normalised
from training.recogniser.term_weights import Terms


def word_error_rates(said: Iterable[tuple[str, str, str]]) -> dict[str, float]:
    """Word errors a word, [0, ...): `wer` of all, and `wer_<accent>` of each that has a name.

    Args:
        said: accent, what was said, what was heard. Case and punctuation do not count.
    """
    texts: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for accent, reference, heard in said:
        if not normalised(reference):
            continue
        texts["wer"].append((normalised(reference), normalised(heard)))
        if accent:
            texts[f"wer_{accent}"].append(texts["wer"][-1])
    return {
        name: float(jiwer.wer([one for one, _ in pairs], [other for _, other in pairs]))
        for name, pairs in texts.items()
    }


def term_recall(said: Iterable[tuple[str, str, str]], terms: Mapping[str, Terms]) -> float | None:
    """Share of the terms said that were heard, [0, 1]; None where none was said.

    Args:
        said: language, what was said, what was heard.
    """
    wanted = found = 0
    for language, reference, heard in said:
        if language not in terms:
            continue
        heard_terms = [normalised(heard[a:b]) for a, b in terms[language].spans(heard)]
        for start, end in terms[language].spans(reference):
            wanted += 1
            term = normalised(reference[start:end])
            if term in heard_terms:
                heard_terms.remove(term)
                found += 1
    return found / wanted if wanted else None
