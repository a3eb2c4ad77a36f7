"""The loss of a student that learns a teacher's probabilities (Hinton et al., arXiv 1503.02531).

alpha * T^2 * KL(teacher || student, both softened by T) + (1 - alpha) * target's cross entropy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from training.distillation.shared_pieces import SharedPieces, shared_positions
from training.small_model.loss import model_inputs
from training.small_model.token_batches import IGNORED, Batch


@dataclass(frozen=True)
class Lesson:
    """The same pairs as both models read them, and where they can be compared.

    Args:
        student, teacher: batches of the same rows.
        at: (row, position in the student's labels, position in the teacher's), int64 [compared, 3].
    """

    student: Batch
    teacher: Batch
    at: Any

    def compared_weight(self) -> float:
        """The sum of the weights of the positions that are compared."""
        return float(self.student.weights[self.at[:, 0]].sum())


@dataclass(frozen=True)
class Losses:
    """Sums over a lesson, each token times its row's weight.

    Args:
        divergence: T^2 * KL, differentiable.
        cross_entropy: differentiable.
        agreed: positions at which both put the same shared piece first.
    """

    divergence: Any
    cross_entropy: Any
    agreed: int


def positions(student: Sequence[Sequence[str]], teacher: Sequence[Sequence[str]]) -> Any:
    """`Lesson.at` of rows given as pieces."""
    rows = [
        (row, *pair)
        for row, (mine, theirs) in enumerate(zip(student, teacher, strict=True))
        for pair in zip(*shared_positions(mine, theirs), strict=True)
    ]
    return torch.from_numpy(np.array(rows, np.int64).reshape(-1, 3))


def losses(
    student: Any, teacher: Any, lesson: Lesson, shared: SharedPieces, temperature: float
) -> Losses:
    """Both parts of the loss; the teacher gets no gradient."""
    ours = _logits(student, lesson.student)
    with torch.no_grad():
        theirs = _logits(teacher, lesson.teacher)
    row, mine, other = lesson.at.unbind(1)
    ours_shared = ours[row, mine][:, torch.from_numpy(shared.student).to(ours.device)]
    theirs_shared = theirs[row, other][:, torch.from_numpy(shared.teacher).to(ours.device)]
    divergence = functional.kl_div(
        functional.log_softmax(ours_shared / temperature, dim=-1),
        functional.log_softmax(theirs_shared / temperature, dim=-1),
        log_target=True,
        reduction="none",
    ).sum(-1)
    labels = lesson.student.labels
    cross_entropy = functional.cross_entropy(
        ours.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none"
    ).view_as(labels)
    return Losses(
        (divergence * lesson.student.weights[row]).sum() * temperature**2,
        (cross_entropy * lesson.student.weights[:, None]).sum(),
        int((ours_shared.argmax(-1) == theirs_shared.argmax(-1)).sum()),
    )


def _logits(model: Any, batch: Batch) -> Any:
    return model(
        input_ids=batch.source,
        attention_mask=batch.source_mask,
        decoder_input_ids=model_inputs(model, batch.labels),
        use_cache=False,
    ).logits.float()
