"""Rows as a language model learns them: the prompt that it is served with, and its answer.

The prompt comes from services.mt.prompt through the tokenizer class that the service uses, so that
training and captions cannot drift apart. Only the answer and the token that ends it are learned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.errors import InvalidInput
from services.mt.engine import Job, LanguagePair
from services.mt.engines.hf_model import PromptTokenizer
from services.mt.prompt import without_markers
from training.rows import Row, read_rows

IGNORED = -100  # what torch's cross entropy leaves out
_CONTEXT_TOKENS = 2048


@dataclass(frozen=True)
class Example:
    """One row in tokens.

    Args:
        ids: the prompt, beginning of sequence included, then the answer with its end of turn.
        prompt_tokens: how many of them are the prompt.
        weight: of each token of the answer in the loss.
        register: see `register_of`.
    """

    ids: tuple[int, ...]
    prompt_tokens: int
    weight: float
    register: str


@dataclass(frozen=True)
class Examples:
    """What became of the rows of a file.

    Args:
        left_out: how many rows are not among them, by reason: "too_long", "empty".
    """

    kept: tuple[Example, ...]
    left_out: dict[str, int]


class Encoder:
    """Makes examples for one model.

    Args:
        tokenizer: of transformers, with the model's own chat template.
        model_name: tells the prompt's family where the template does not.

    Raises:
        InvalidInput: UNKNOWN_PROMPT_FAMILY.
    """

    def __init__(self, tokenizer: Any, model_name: str, prompt_family: str = "auto") -> None:
        self._tokenizer = tokenizer
        self._prompts = PromptTokenizer(
            tokenizer,
            family=prompt_family,
            model_name=model_name,
            context_tokens=_CONTEXT_TOKENS,
            eos_ids=(),
        )
        self.prompt_family = self._prompts.family

    def examples(self, path: Path, max_tokens: int) -> Examples:
        """The rows of a JSONL file, those of more than `max_tokens` left out, not cut off: half an
        answer teaches to stop in the middle.

        Raises:
            InvalidInput: ROWS_MISSING, ROWS_DAMAGED; NO_ROWS when none is left.
        """
        kept = []
        left_out: Counter[str] = Counter()
        for row in read_rows(path):
            example = self._example(row)
            if isinstance(example, str):
                left_out[example] += 1
            elif len(example.ids) > max_tokens:
                left_out["too_long"] += 1
            else:
                kept.append(example)
        if not kept:
            raise InvalidInput(
                "NO_ROWS",
                f"no row of {path} is left to learn from ({dict(left_out) or 'it is empty'}); "
                "look at the file, or raise --max-tokens",
            )
        return Examples(tuple(kept), dict(left_out))

    def _example(self, row: Row) -> Example | str:
        pair = LanguagePair(row.source_language, row.target_language)
        answer = without_markers(row.target).strip()
        if not answer:
            return "empty"
        try:
            prepared = self._prompts.prepare(Job(_source(row), pair))
        except InvalidInput as error:
            if error.reason not in ("TEXT_TOO_LONG", "EMPTY_TEXT"):
                raise
            return "too_long" if error.reason == "TEXT_TOO_LONG" else "empty"
        end = (
            self._tokenizer.convert_tokens_to_ids(prepared.prompt.stop[0])
            if prepared.prompt.stop
            else self._tokenizer.eos_token_id
        )
        ids = (*prepared.ids, *self._tokenizer.encode(answer, add_special_tokens=False), end)
        return Example(ids, len(prepared.ids), row.weight, register_of(row))


def register_of(row: Row) -> str:
    """What a row's loss is reported under: its kind, and its tag where it has one."""
    return f"{row.kind}_{row.tag.strip('<>')}" if row.tag else row.kind


def _source(row: Row) -> str:
    # As a prompt can hold it: what stands in angle brackets is dropped there as a control token.
    return f"({row.tag.strip('<>')}) {row.source}" if row.tag else row.source


def collated(
    examples: Sequence[Example], *, pad_id: int, registers: Sequence[str]
) -> dict[str, Any]:
    """A batch, padded on the right.

    Returns:
        input_ids, attention_mask, labels (int64 [B, T]; `IGNORED` in prompts and padding), weight
        (float32 [B]) and register (int64 [B], an index into `registers`).
    """
    import torch

    longest = max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), longest), pad_id)
    labels = torch.full_like(ids, IGNORED)
    attended = torch.zeros_like(ids)
    for at, example in enumerate(examples):
        size = len(example.ids)
        ids[at, :size] = torch.tensor(example.ids)
        attended[at, :size] = 1
        labels[at, example.prompt_tokens : size] = ids[at, example.prompt_tokens : size]
    return {
        "input_ids": ids,
        "attention_mask": attended,
        "labels": labels,
        "weight": torch.tensor([example.weight for example in examples]),
        "register": torch.tensor([registers.index(example.register) for example in examples]),
    }
