"""Teaches a TranslateGemma (4B or 12B) with QLoRA: 4 bits at rest, small adapters that learn.

    python -m training.gemma --model translategemma-4b-it --data var/training/mix --out OUT
    accelerate launch --multi_gpu --num_processes 2 -m training.gemma ...       # on two cards
    tensorboard --logdir OUT/tensorboard

It writes <out>/adapter, the best by dev loss: an adapter of peft with the tokenizer's and
preprocessor's files, which training.export merges. (Dettmers et al. 2023, arXiv 2305.14314.)
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import click

from training.job import Job
from training.language_model.options import run_options


@click.command(cls=Job)
@run_options
@click.option(
    "--learning-rate", type=click.FloatRange(0, min_open=True), default=1e-4, help="At its height."
)
@click.option("--rank", type=click.IntRange(1), default=16, help="Of the adapters.")
@click.option("--alpha", type=click.IntRange(1), default=32, help="Their scale is alpha / rank.")
@click.option("--dropout", type=click.FloatRange(0, 0.9), default=0.05, help="Before each adapter.")
def gemma(**options: Any) -> None:
    """Teach a TranslateGemma your sermons and Bible pairs, on one 16 GB card.

    \b
    Example:
      python -m training.gemma --model translategemma-4b-it \\
        --data var/training/mix --out var/training/gemma

    Weights are held in 4 bits and stay as they are; adapters in the language model's layers learn.
    The prompt is the one that captions are translated with, and only the answer is learned.

    When the card is full, the run steps down by itself: the embeddings stay as they are, then fewer
    rows at once (a step still sees --batch rows), then shorter ones. run.json says what it came to.
    Interrupted, go on with --resume.
    """
    from training.language_model.memory_ladder import Rung
    from training.language_model.model import LANGUAGE_LAYERS, folder_of, read_model
    from training.language_model.run import Plan, fit, open_run
    from training.language_model.summary import show

    resumes = options.pop("resume")
    told = dict(options)
    lora = {name: options.pop(name) for name in ("rank", "alpha", "dropout")}
    folder = folder_of(options.pop("model"), options.pop("models_dir"))
    plan = Plan(folder=folder, trains_embeddings=options.pop("train_embeddings"), **options)

    def prepare(rung: Rung) -> Any:
        from peft import LoraConfig, get_peft_model

        model = read_model(folder, in_nf4=True)
        config = LoraConfig(
            r=lora["rank"],
            lora_alpha=lora["alpha"],
            lora_dropout=lora["dropout"],
            target_modules=LANGUAGE_LAYERS,
            modules_to_save=["embed_tokens"] if rung.trains_embeddings else None,
            ensure_weight_tying=rung.trains_embeddings,
            task_type="CAUSAL_LM",
        )
        return get_peft_model(model, config)

    run = open_run("gemma", plan, told, resumes=resumes)
    with run or nullcontext():
        losses = fit(plan, run, prepare, result="adapter")
    if run is not None:
        show(run, losses, "adapter")


if __name__ == "__main__":
    gemma()
