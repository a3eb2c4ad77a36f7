"""One run of a language model over rows: what `gemma` and `galore` share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import TrainingArguments, set_seed

from services.errors import EngineFailed
from services.runtime_failures import is_out_of_memory
from training import stoppable_trainer
from training.checkpoints import last_whole
from training.language_model import memory_ladder
from training.language_model.examples import Encoder, Example, Examples, collated
from training.language_model.memory_ladder import Rung
from training.language_model.model import carry_files, compute_dtype, read_tokenizer
from training.language_model.target_trainer import TargetTrainer
from training.run_folder import RunFolder, noted, whole_folder
from training.texts.curriculum import noted_order, order_of

_LOGS_PER_EVALUATION = 10


@dataclass(frozen=True)
class Plan:
    """What a run is told.

    Args:
        steps: optimizer steps; 0 for `epochs` passes over the rows.
        batch: rows of one step on each device, however they are shared out.
        micro_batch: rows that are in memory at once, at first.
        memory_gib: what may be used of the card; 0 for all of it.
    """

    folder: Path
    data: Path
    out: Path
    prompt_family: str
    epochs: float
    steps: int
    eval_steps: int
    batch: int
    micro_batch: int
    max_tokens: int
    learning_rate: float
    weight_decay: float
    warmup: float
    trains_embeddings: bool
    memory_gib: float
    seed: int

    def first_rung(self) -> Rung:
        size = next(size for size in range(self.micro_batch, 0, -1) if self.batch % size == 0)
        return Rung(self.trains_embeddings, size, self.batch // size, self.max_tokens)


def open_run(job: str, plan: Plan, options: dict[str, Any], *, resumes: bool) -> RunFolder | None:
    """The run's folder, in the one process that writes it; None in the others."""
    state = PartialState(cpu=not torch.accelerator.is_available())
    run = None
    if state.is_main_process:
        inputs = {
            "model": plan.folder,
            "train": plan.data / "train.jsonl",
            "dev": plan.data / "dev.jsonl",
        }
        told = options | noted_order(order_of(plan.data))
        run = RunFolder(plan.out, job, told, inputs=inputs, resumes=resumes)
    state.wait_for_everyone()
    return run


def fit(
    plan: Plan,
    run: RunFolder | None,
    prepare: Callable[[Rung], Any],
    *,
    result: str,
    arguments: dict[str, Any] | None = None,
) -> dict[str, float]:
    """Trains, walking down the ladder of memory; goes on from a whole checkpoint in the folder.

    Args:
        prepare: the model for a rung, with what is to be trained unfrozen.
        result: the folder's name below `plan.out`; it is there only when it is whole.
        arguments: further TrainingArguments.

    Returns:
        The best model's dev losses: "eval_loss", "eval_loss_<register>".
    """
    if (plan.out / result).exists():  # it ended, and somebody resumes it all the same
        kept = noted(plan.out)
        return {name: kept[name] for name in kept if name.startswith("eval_loss")}
    tokenizer = read_tokenizer(plan.folder)
    encoder = Encoder(tokenizer, plan.folder.name, plan.prompt_family)
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(plan.out / "tensorboard")
    memory_ladder.limit_memory(plan.memory_gib)

    def note(**metrics: Any) -> None:
        if run is not None:
            run.note(**metrics)

    def attempt(rung: Rung) -> dict[str, float]:
        train = encoder.examples(plan.data / "train.jsonl", rung.max_tokens)
        dev = encoder.examples(plan.data / "dev.jsonl", rung.max_tokens)
        note(rows={"train": _told(train), "dev": _told(dev)}, prompt_family=encoder.prompt_family)
        set_seed(plan.seed)
        model = prepare(rung)
        trainer = _trainer(plan, rung, model, train, dev, tokenizer.pad_token_id, arguments or {})
        _probe(plan, rung, trainer, train.kept)
        set_seed(plan.seed)
        checkpoint = _checkpoint(plan.out)
        _train(trainer, checkpoint)
        losses = trainer.evaluate()
        note(steps=trainer.state.global_step, best_step=trainer.state.best_global_step, **losses)
        if run is not None:
            with whole_folder(run.path / result) as part:
                trainer.accelerator.unwrap_model(trainer.model).save_pretrained(part)
                carry_files(plan.folder, part)
        return losses

    earlier = _ladder(plan.out)
    return memory_ladder.climb_down(
        _rung(earlier[-1]) if earlier else plan.first_rung(),
        attempt,
        lambda walked: note(ladder=walked),
        earlier,
    )


def _trainer(
    plan: Plan,
    rung: Rung,
    model: Any,
    train: Examples,
    dev: Examples,
    pad_id: int,
    arguments: dict[str, Any],
) -> TargetTrainer:
    registers = sorted({example.register for example in (*train.kept, *dev.kept)})
    settings = TrainingArguments(
        output_dir=str(plan.out / "checkpoints"),
        num_train_epochs=plan.epochs,
        max_steps=plan.steps or -1,
        per_device_train_batch_size=rung.batch_size,
        per_device_eval_batch_size=rung.batch_size,
        gradient_accumulation_steps=rung.accumulation,
        activation_checkpointing=True,
        activation_checkpointing_kwargs={"use_reentrant": False},
        learning_rate=plan.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=plan.warmup,
        weight_decay=plan.weight_decay,
        bf16=compute_dtype() is torch.bfloat16,
        use_cpu=model.device.type == "cpu",
        eval_strategy="steps",
        eval_steps=plan.eval_steps,
        save_strategy="steps",
        save_steps=plan.eval_steps,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=max(1, plan.eval_steps // _LOGS_PER_EVALUATION),
        report_to=["tensorboard"],
        remove_unused_columns=False,
        label_names=["labels"],
        ddp_find_unused_parameters=False,
        seed=plan.seed,
        data_seed=plan.seed,
        **arguments,
    )
    return TargetTrainer(
        registers=registers,
        order=order_of(plan.data),
        model=model,
        args=settings,
        train_dataset=train.kept,
        eval_dataset=dev.kept,
        data_collator=partial(collated, pad_id=pad_id, registers=registers),
    )


def _probe(plan: Plan, rung: Rung, trainer: TargetTrainer, examples: tuple[Example, ...]) -> None:
    """Meets the largest batch first: no run should end at its longest rows after hours.

    All devices step down together, whichever of them has no room.
    """
    longest = sorted(examples, key=lambda example: -len(example.ids))[: rung.batch_size]
    answer_tokens = max(len(example.ids) - example.prompt_tokens for example in examples)
    failure: Exception | None = None
    try:
        memory_ladder.check_estimate(trainer.model, rung, answer_tokens, plan.memory_gib)
        trainer.try_largest_batch(longest)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        failure = error
    failed = torch.tensor(float(failure is not None), device=trainer.args.device)
    if trainer.accelerator.reduce(failed).item():
        raise failure or MemoryError("another device has no room for the largest batch")


def _train(trainer: TargetTrainer, checkpoint: Path | None) -> None:
    try:
        stoppable_trainer.train(trainer, checkpoint)
    except Exception as error:
        if trainer.accelerator.num_processes == 1 or not is_out_of_memory(error):
            raise
        # The other devices wait for this one in the middle of a step, and cannot be told.
        raise EngineFailed(
            "a device ran full in the middle of training; begin again with a smaller --micro-batch"
        ) from error


def _checkpoint(out: Path) -> Path | None:
    """What to go on from: nothing where the rung above trained other weights."""
    state = PartialState()
    folder = out / "checkpoints"
    last_two = [_rung(step).trains_embeddings for step in _ladder(out)[-2:]]
    state.wait_for_everyone()
    if state.is_main_process and len(set(last_two)) > 1:
        shutil.rmtree(folder, ignore_errors=True)
    state.wait_for_everyone()
    return last_whole(folder)


def _ladder(out: Path) -> list[dict[str, Any]]:
    """The rungs so far."""
    ladder: list[dict[str, Any]] = noted(out).get("ladder", [])
    return ladder


def _rung(step: dict[str, Any]) -> Rung:
    return Rung(**{name: step[name] for name in Rung.__dataclass_fields__})


def _told(examples: Examples) -> dict[str, Any]:
    return {"kept": len(examples.kept), "left_out": examples.left_out}
