"""Teaches a small translator what a large one knows: its translations, or its very probabilities.

python -m training.distill sentences --data var/training/mix --runtime gguf --out OUT
python -m training.marian --data OUT --out var/training/en-es
python -m training.distill logits --data var/training/mix --teacher T --student S --out OUT
"""

from __future__ import annotations

import click

from training.distillation.logits import logits
from training.distillation.sentences import sentences


@click.group(context_settings={"max_content_width": 100})
def distill() -> None:
    """Teach a small translator what a large one knows.

    sentences: any runtime translates, and what passes quality estimation becomes rows for
    training.marian. logits: a Marian model learns another's probabilities, token by token.
    """


distill.add_command(sentences)
distill.add_command(logits)

if __name__ == "__main__":
    distill()
