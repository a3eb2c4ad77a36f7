"""A student and its teacher, both Marian models, with lessons that both can read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sacrebleu

from training.distillation.knowledge import Lesson, losses, positions
from training.distillation.shared_pieces import SharedPieces
from training.rows import Row
from training.small_model.loss import token_weight
from training.small_model.model import MarianTokens
from training.small_model.token_batches import Encoded, encode, padded, passes
from training.small_model.translations import translate
from training.texts.curriculum import Order

_DEV_BATCH = 32


class Classroom:
    """Args:
    student, teacher: models on one device.
    max_tokens: rows with a longer text, by either tokenizer, are left out.
    temperature: see training.distillation.knowledge.
    """

    def __init__(
        self,
        student: Any,
        teacher: Any,
        student_tokens: MarianTokens,
        teacher_tokens: MarianTokens,
        *,
        max_tokens: int,
        temperature: float,
    ) -> None:
        import torch

        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self.student = student.to(self._device).train()
        self.teacher = teacher.to(self._device).eval()
        self.student_tokens, self.teacher_tokens = student_tokens, teacher_tokens
        self.shared = SharedPieces.of(student_tokens, teacher_tokens)
        self._max_tokens = max_tokens
        self._temperature = temperature

    def lessons(
        self,
        courses: Sequence[tuple[Sequence[Row], float]],
        batch_tokens: int,
        seed: int,
        *,
        order: Order = "shuffled",
        first_batch: int = 0,
    ) -> Iterator[tuple[Lesson, float]]:
        """Lessons without end, a pass over each course in turn, each with its course's alpha.

        Args:
            courses: rows, and the teacher's part in the loss.
            order: of the first pass; later ones are shuffled.
            first_batch: how many lessons to leave out.
        """
        read = [(*self._encoded(rows), alpha) for rows, alpha in courses]
        by_student = [student for student, _, _ in read]
        for chosen, indexes in passes(
            by_student, batch_tokens, seed, order=order, first_batch=first_batch
        ):
            at = next(index for index, one in enumerate(by_student) if one is chosen)
            yield self._lesson(chosen, read[at][1], indexes.tolist()), read[at][2]

    def learn(self, lessons: Sequence[tuple[Lesson, float]]) -> float:
        """Adds the gradients of one step, which are the same however its rows are shared out.

        The two parts are means over the tokens that they are about, of all lessons together.
        """
        compared = sum(lesson.compared_weight() for lesson, _ in lessons) or 1.0
        tokens = sum(token_weight(lesson.student) for lesson, _ in lessons)
        total = 0.0
        for lesson, alpha in lessons:
            found = losses(self.student, self.teacher, lesson, self.shared, self._temperature)
            loss = alpha * found.divergence / compared + (1 - alpha) * found.cross_entropy / tokens
            loss.backward()
            total += loss.item()
        return total

    def agreement(self, rows: Sequence[Row]) -> dict[str, float]:
        """How alike the two are on rows.

        Returns:
            chrf: chrF++ of the student's translations against the teacher's; top1: percent of
            compared positions, behind the reference, at which both want the same next piece.
        """
        import torch

        ours = self.translations(self.student, self.student_tokens, rows)
        theirs = self.translations(self.teacher, self.teacher_tokens, rows)
        student, teacher = self._encoded(rows)
        agreed = compared = 0
        self.student.eval()
        with torch.no_grad():
            for start in range(0, len(student), _DEV_BATCH):
                indexes = list(range(start, min(start + _DEV_BATCH, len(student))))
                lesson = self._lesson(student, teacher, indexes)
                found = losses(self.student, self.teacher, lesson, self.shared, 1.0)
                agreed += found.agreed
                compared += len(lesson.at)
        self.student.train()
        return {
            "chrf": sacrebleu.corpus_chrf(ours, [theirs], word_order=2).score,
            "top1": 100 * agreed / max(1, compared),
        }

    def translations(self, model: Any, tokens: MarianTokens, rows: Sequence[Row]) -> list[str]:
        """Greedy, by one of the two."""
        texts = [row.tagged_source for row in rows]
        return translate(model, tokens, texts, max_tokens=self._max_tokens)

    def _encoded(self, rows: Sequence[Row]) -> tuple[Encoded, Encoded]:
        """The rows that are short enough for both, as each of the two reads them."""
        limit = self._max_tokens
        short = list(rows)
        for tokens in (self.student_tokens, self.teacher_tokens):
            sources = tokens.encode_sources([row.tagged_source for row in short])
            targets = tokens.encode_targets([row.target for row in short])
            short = [
                row
                for row, source, target in zip(short, sources, targets, strict=True)
                if max(len(source), len(target)) <= limit
            ]
        return (
            encode(short, self.student_tokens, max_tokens=limit),
            encode(short, self.teacher_tokens, max_tokens=limit),
        )

    def _lesson(self, student: Encoded, teacher: Encoded, indexes: list[int]) -> Lesson:
        return Lesson(
            padded(student, indexes, self.student_tokens.pad_id).to(self._device),
            padded(teacher, indexes, self.teacher_tokens.pad_id).to(self._device),
            positions(
                [self.student_tokens.pieces(student.targets[at].tolist()) for at in indexes],
                [self.teacher_tokens.pieces(teacher.targets[at].tolist()) for at in indexes],
            ).to(self._device),
        )
