"""Teaches all weights of a TranslateGemma's language layers with little memory for the optimizer.

    python -m training.galore --model translategemma-4b-it --data var/training/mix --out OUT

Where adapters (training.gemma) are not enough. Gradients are projected to a low rank before Adam
keeps its moments of them (Zhao et al. 2024, arXiv 2403.03507), by galore-torch through
transformers. It writes <out>/model, a whole model of the folder's own layout.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import click

from training.job import Job
from training.language_model.options import run_options

OPTIMIZERS = ("galore_adamw", "galore_adamw_8bit", "galore_adafactor")


@click.command(cls=Job)
@run_options
@click.option(
    "--learning-rate", type=click.FloatRange(0, min_open=True), default=1e-5, help="At its height."
)
@click.option("--optimizer", type=click.Choice(OPTIMIZERS), default=OPTIMIZERS[0])
@click.option("--rank", type=click.IntRange(1), default=128, help="Gradients are projected to it.")
@click.option(
    "--projection-steps",
    type=click.IntRange(1),
    default=200,
    help="After how many steps the projection is found anew.",
)
@click.option("--scale", type=float, default=0.25, help="Of what is projected back.")
def galore(**options: Any) -> None:
    """Teach all of a TranslateGemma's language layers, where adapters are not enough.

    \b
    Example:
      python -m training.galore --model translategemma-4b-it \\
        --data var/training/mix --out var/training/galore --memory-gib 40

    Weights and gradients of the language layers are whole: by their sizes about 20 GB of a card for
    4B in bfloat16. Prompt, data and ladder are those of training.gemma.
    """
    from training.language_model.memory_ladder import Rung
    from training.language_model.model import (
        LANGUAGE_LAYERS,
        folder_of,
        only_language_layers,
        read_model,
    )
    from training.language_model.run import Plan, fit, open_run
    from training.language_model.summary import show

    resumes = options.pop("resume")
    told = dict(options)
    rank, gap, scale = (options.pop(name) for name in ("rank", "projection_steps", "scale"))
    optimizer = options.pop("optimizer")
    folder = folder_of(options.pop("model"), options.pop("models_dir"))
    plan = Plan(folder=folder, trains_embeddings=options.pop("train_embeddings"), **options)

    def prepare(rung: Rung) -> Any:
        import torch
        from galore_torch.galore_projector import GaLoreProjector

        # It stands in the optimizer's checkpoint, of which the Trainer reads only what is named.
        torch.serialization.add_safe_globals([GaLoreProjector])
        model = read_model(folder, in_nf4=False)
        only_language_layers(model, embeddings=rung.trains_embeddings)
        return model

    run = open_run("galore", plan, told, resumes=resumes)
    with run or nullcontext():
        losses = fit(
            plan,
            run,
            prepare,
            result="model",
            arguments={
                "optim": optimizer,
                "optim_target_modules": LANGUAGE_LAYERS,
                "optim_args": f"rank={rank}, update_proj_gap={gap}, scale={scale}",
            },
        )
    if run is not None:
        show(run, losses, "model")


if __name__ == "__main__":
    galore()
