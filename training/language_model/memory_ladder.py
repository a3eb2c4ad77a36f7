"""What to give up when the memory is too small: rungs, each lighter than the one above it.

First training the embeddings, then the size of the batch (with more accumulation: the effective
batch stays as it is), then the longest rows.
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from services.errors import GlossaError, OutOfMemory
from services.runtime_failures import is_out_of_memory

Result = TypeVar("Result")

GIB = 1024**3
# TranslateGemma's prompt alone takes about 110 tokens.
LEAST_TOKENS = 160
_SHORTER = 0.75


@dataclass(frozen=True)
class Rung:
    """How a step is done.

    Args:
        batch_size: rows that are in memory at once, on each device.
        accumulation: such batches in one step.
        max_tokens: of a row, prompt and answer together.
    """

    trains_embeddings: bool
    batch_size: int
    accumulation: int
    max_tokens: int

    def below(self) -> Rung | None:
        """The next lighter rung; None below the last."""
        if self.trains_embeddings:
            return replace(self, trains_embeddings=False)
        if self.batch_size > 1:
            together = self.batch_size * self.accumulation
            size = next(size for size in range(self.batch_size // 2, 0, -1) if together % size == 0)
            return replace(self, batch_size=size, accumulation=together // size)
        shorter = int(self.max_tokens * _SHORTER)
        return replace(self, max_tokens=shorter) if shorter >= LEAST_TOKENS else None


def climb_down(
    first: Rung,
    attempt: Callable[[Rung], Result],
    note: Callable[[list[dict[str, Any]]], None],
    earlier: Sequence[dict[str, Any]] = (),
) -> Result:
    """What `attempt` gives at the first rung at which it does not run out of memory.

    Args:
        note: told of all rungs so far, each with its outcome, whenever that changes.
        earlier: what it was told in a run that was interrupted.

    Raises:
        OutOfMemory: it did at the last one, too.
    """
    rung: Rung | None = first
    walked = [
        {**step, "outcome": "interrupted"} if step["outcome"] == "running" else dict(step)
        for step in earlier
    ]
    while rung is not None:
        step = {**asdict(rung), "outcome": "running"}
        walked.append(step)
        note(walked)
        try:
            result = attempt(rung)
        # Libraries word it in their own ways, as RuntimeError and others.
        except Exception as error:
            if isinstance(error, GlossaError) or not is_out_of_memory(error):
                raise
            step |= {"outcome": "out of memory", "said": str(error).partition("\n")[0][:200]}
            # The frames that failed hold what filled the memory.
            traceback.clear_frames(error.__traceback__)
        else:
            step["outcome"] = "trained"
            note(walked)
            return result
        note(walked)
        free()
        rung = rung.below()
    raise OutOfMemory(
        f"even one row of at most {walked[-1]['max_tokens']} tokens at a time does not fit into "
        "the memory; take a smaller model, or a card with more memory"
    )


def free() -> None:
    """Gives back to the device what nothing holds any longer."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def limit_memory(limit_gib: float) -> None:
    """Lets this process have no more of its card: its allocator then says that it is full."""
    import torch

    if limit_gib and torch.cuda.is_available():
        total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit_gib * GIB / total))


def check_estimate(model: Any, rung: Rung, answer_tokens: int, limit_gib: float) -> None:
    """Where no card keeps to the limit: compares it with an estimate from above.

    Weights, gradients and Adam's two moments; with gradient checkpointing one hidden state of each
    layer and the inside of one; logits of the answers in 32 bits, as they are, normalised and as
    gradient.

    Args:
        answer_tokens: of the longest answer.

    Raises:
        MemoryError: the estimate is above the limit.
    """
    import torch

    if not limit_gib or torch.cuda.is_available():
        return
    config = model.config.get_text_config()
    weight_bytes = sum(parameter.nbytes for parameter in model.parameters())
    trained_bytes = 3 * sum(each.nbytes for each in model.parameters() if each.requires_grad)
    hidden = config.num_hidden_layers * config.hidden_size
    inside = 10 * config.hidden_size + 4 * config.intermediate_size
    activation_bytes = rung.batch_size * rung.max_tokens * (hidden + inside) * 4
    logit_bytes = rung.batch_size * answer_tokens * config.vocab_size * 4 * 3
    estimate = weight_bytes + trained_bytes + activation_bytes + logit_bytes
    if estimate > limit_gib * GIB:
        raise MemoryError(
            f"about {estimate / GIB:.3f} GiB are needed, {limit_gib:g} GiB are to be had"
        )
