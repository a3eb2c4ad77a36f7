"""What a Marian model that is being trained makes of texts, and how good that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sacrebleu
import torch

from training.rows import Row


def dev_scores(model: Any, tokens: Any, rows: Sequence[Row], max_tokens: int) -> dict[str, float]:
    """chrF++ of greedy translations by kind of row; `chrf` is their mean."""
    translations = translate(
        model, tokens, [row.tagged_source for row in rows], max_tokens=max_tokens
    )
    by_kind: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for row, translation in zip(rows, translations, strict=True):
        by_kind[row.kind][0].append(translation)
        by_kind[row.kind][1].append(row.target)
    scores = {
        f"chrf_{kind}": sacrebleu.corpus_chrf(outputs, [references], word_order=2).score
        for kind, (outputs, references) in sorted(by_kind.items())
    }
    return {"chrf": sum(scores.values()) / len(scores), **scores}


def translate(
    model: Any,
    tokens: Any,
    texts: Sequence[str],
    *,
    max_tokens: int = 128,
    beam_size: int = 1,
    batch_size: int = 64,
) -> list[str]:
    """Translations of `texts`, in order; longer texts than `max_tokens` are cut."""
    sources = [ids[: max_tokens - 1] + ids[-1:] for ids in tokens.encode_sources(texts)]
    order = sorted(range(len(sources)), key=lambda index: len(sources[index]))
    translations = [""] * len(sources)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            longest = max(len(sources[index]) for index in chosen)
            ids = torch.tensor(
                [
                    sources[index] + [tokens.pad_id] * (longest - len(sources[index]))
                    for index in chosen
                ],
                device=model.device,
            )
            generated = model.generate(
                input_ids=ids,
                attention_mask=(ids != tokens.pad_id).long(),
                max_new_tokens=min(max_tokens, 2 * longest + 8),
                num_beams=beam_size,
                do_sample=False,
            )
            for index, row in zip(chosen, generated.tolist(), strict=True):
                translations[index] = tokens.decode(row)
    model.train(was_training)
    return translations
