"""Teaches a Whisper how people speak in your church, by LoRA.

    python -m training.whisper --clips var/training/clips --out var/training/whisper \\
        --model var/models/whisper-large-v3-turbo

Reads clips as training.audio makes them and a model as Hugging Face lays it out; writes
<out>/adapter, which training.export merges into the model. Judged by word error rate in all and by
accent before, during and after; the best of what was judged is kept. Killed or stopped, it goes on
with --resume from its last checkpoint. On several cards:

    accelerate launch --multi_gpu --num_processes 2 -m training.whisper --clips ...
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from services.errors import InvalidInput, OutOfMemory
from training.checkpoints import last_whole
from training.job import Job, out_option, resume_option, seed_option
from training.run_folder import RunFolder, whole_folder

_GLOSSARY = Path(__file__).parent.parent / "services/mt/glossary_en_es.tsv"


@click.command(cls=Job)
@click.option(
    "--clips",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="A folder that training.audio made.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="The Whisper to begin with, as Hugging Face lays it out.",
)
@out_option
@click.option(
    "--glossary",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=_GLOSSARY,
    show_default="that of mt",
    help="Terms that count for more.",
)
@click.option(
    "--glossary-languages",
    type=(str, str),
    default=("en", "es"),
    help="Languages of its two columns.",
)
@click.option(
    "--term-weight",
    type=click.FloatRange(1),
    default=3.0,
    help="How many times as much the tokens of a term count.",
)
@click.option(
    "--epochs",
    type=click.FloatRange(0, min_open=True),
    default=3.0,
    help="How often all clips are seen.",
)
@click.option(
    "--max-steps",
    type=click.IntRange(1),
    help="Stop after so many, whatever --epochs says.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=8,
    help="Clips at once, on each card. Too little memory: half of it, --accumulate twice.",
)
@click.option("--accumulate", type=click.IntRange(1), default=2, help="Batches in one step.")
@click.option(
    "--checkpoint-activations", is_flag=True, help="Half of the memory for a third more time."
)
@click.option("--learning-rate", type=click.FloatRange(0, 1, min_open=True), default=1e-4)
@click.option("--weight-decay", type=click.FloatRange(0, 1), default=0.01)
@click.option(
    "--warmup-share",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    help="Share of the steps in which the learning rate rises; then it falls as a cosine.",
)
@click.option("--rank", type=click.IntRange(1), default=32, help="Of the LoRA matrices.")
@click.option(
    "--dropout",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.05,
    help="Of what goes into them.",
)
@click.option(
    "--evaluate-every",
    type=click.FloatRange(0, min_open=True),
    default=0.1,
    help="Steps between two checkpoints, each judged; below 1, a share of all steps.",
)
@click.option(
    "--patience",
    type=click.IntRange(0),
    default=0,
    help="Stop after so many checkpoints that were no better; 0: never.",
)
@click.option("--workers", type=click.IntRange(0), default=2, help="Processes that read clips.")
@seed_option
@resume_option
def whisper(**options: Any) -> None:
    """Fine-tune a Whisper on clips of a church's own speakers.

    Ctrl-C and SIGTERM keep a checkpoint; --resume goes on from it.
    """
    if options["evaluate_every"] > 1 and options["evaluate_every"] % 1:
        raise InvalidInput(
            "BAD_STEPS", "--evaluate-every is a share of all steps below 1, or whole steps"
        )
    import torch
    from accelerate import PartialState

    out, resumes = options["out"], options.pop("resume")
    inputs = {name: options[name] for name in ("clips", "model", "glossary")}
    told = {name: value for name, value in options.items() if name != "out"}
    run: Any = contextlib.nullcontext()
    if PartialState(cpu=not torch.accelerator.is_available()).is_main_process:
        run = RunFolder(out, "whisper", told, inputs=inputs, resumes=resumes)
    with run as opened:
        # Other processes than the first measure the same and keep nothing.
        _train(options, opened.note if opened else lambda **_: None)
        if opened:
            _show(opened.manifest["metrics"])


def _train(options: dict[str, Any], note: Callable[..., None]) -> None:
    """Trains, or goes on with it, and writes the adapter; notes what was measured."""
    from transformers import EarlyStoppingCallback

    from services.runtime_failures import is_out_of_memory
    from training import stoppable_trainer
    from training.recogniser.lora import CHECKPOINTS, lora_trainer

    out = options["out"]
    checkpoint = last_whole(out / CHECKPOINTS)
    trainer = lora_trainer(options)
    is_judged = trainer.eval_dataset is not None
    try:
        if is_judged and checkpoint is None:
            note(before=_judged(trainer, "before"))
            _take_back_preparation(trainer)
        if is_judged and options["patience"]:  # only now: it would count what was before
            trainer.add_callback(EarlyStoppingCallback(options["patience"]))
        stoppable_trainer.train(trainer, checkpoint)
        note(after=_judged(trainer, "after") if is_judged else {}, steps=trainer.state.global_step)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"{options['batch_size']} clips at once do not fit into the memory; begin anew with "
            "half of --batch-size and twice of --accumulate, or with --checkpoint-activations"
        ) from error
    if trainer.is_world_process_zero():
        with whole_folder(out / "adapter") as part:
            trainer.accelerator.unwrap_model(trainer.model).save_pretrained(part)


def _judged(trainer: Any, name: str) -> dict[str, float]:
    figures = trainer.evaluate(metric_key_prefix=name)
    return {
        key.removeprefix(f"{name}_"): round(value, 5)
        for key, value in figures.items()
        if key.startswith((f"{name}_wer", f"{name}_loss", f"{name}_term_recall"))
    }


def _take_back_preparation(trainer: Any) -> None:
    """The Trainer would train on with the model as it was prepared to be judged, and several
    devices would then keep their gradients to themselves."""
    trainer.accelerator.free_memory()
    vars(trainer.model).pop("_is_accelerate_prepared")


def _show(metrics: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    after = metrics["after"]
    if not after:
        console.print("Nothing was kept for judging: whether it got better is not known.")
        return
    before = metrics.get("before", {})
    table = Table("", "before", "after", title=f"after {metrics['steps']} steps")
    names = {"wer": "word error rate", "term_recall": "terms heard", "loss": "loss"}
    for name, value in sorted(after.items()):
        shown = names.get(name, f"word error rate, {name.removeprefix('wer_')}")
        form = ".3f" if name == "loss" else ".1%"
        known = before.get(name)
        table.add_row(shown, "" if known is None else format(known, form), format(value, form))
    console.print(table)


if __name__ == "__main__":
    whisper()
