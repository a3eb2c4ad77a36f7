"""What `gemma` and `galore` are told alike on their command lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from training.job import out_option, resume_option, seed_option

_OPTIONS = (
    click.option(
        "--model",
        required=True,
        help="Its folder as Hugging Face lays it out, or its name in --models-dir.",
    ),
    click.option(
        "--models-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default="var/models",
        help="Where models are found by name.",
    ),
    click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        required=True,
        help="A folder with train.jsonl and dev.jsonl, as training.mix writes it.",
    ),
    out_option,
    click.option(
        "--epochs", type=click.FloatRange(0, min_open=True), default=1.0, help="Passes over it."
    ),
    click.option(
        "--steps",
        type=click.IntRange(0),
        default=0,
        help="Steps instead of passes, unless 0.",
    ),
    click.option(
        "--eval-steps",
        type=click.IntRange(1),
        default=200,
        help="Steps between two looks at dev.jsonl, each with a checkpoint.",
    ),
    click.option(
        "--batch", type=click.IntRange(1), default=16, help="Rows of one step, on each card."
    ),
    click.option(
        "--micro-batch",
        type=click.IntRange(1),
        default=4,
        help="Rows in memory at once, at first: fewer where they do not fit.",
    ),
    click.option(
        "--max-tokens",
        type=click.IntRange(64, 2048),
        default=512,
        help="Rows that are longer, prompt included, are left out.",
    ),
    click.option(
        "--weight-decay", type=click.FloatRange(0), default=0.0, help="As AdamW takes it."
    ),
    click.option(
        "--warmup",
        type=click.FloatRange(0),
        default=0.03,
        help="Steps until the full learning rate; below 1: share of all steps.",
    ),
    click.option(
        "--train-embeddings/--no-train-embeddings",
        default=False,
        help="Train the table of words, too: gigabytes, and rarely worth them.",
    ),
    click.option(
        "--memory-gib",
        type=click.FloatRange(0),
        default=0.0,
        help="What this run may take of the card's memory (a service may need the rest); 0: all.",
    ),
    click.option(
        "--prompt-family",
        default="auto",
        help="A name in services/mt/prompt.py; auto: by the model's own template.",
    ),
    seed_option,
    resume_option,
)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds them to a command, in this order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
