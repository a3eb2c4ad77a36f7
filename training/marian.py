r"""Trains a small Marian model, from nothing or on from one that is there (full fine-tuning).

    python -m training.marian --data var/training/mix --out var/training/en-es
    python -m training.marian --data var/training/mix --out var/training/better \
        --model var/models/opus-mt-en-es --steps 3000 --learning-rate 0.00003 --no-muon
    accelerate launch --multi_gpu --num_processes 2 -m training.marian ...    # on two cards

It reads train.jsonl and dev.jsonl, and writes <out>/model, a transformers MarianMTModel, which
`python -m training.export` makes quick. The best weights on dev.jsonl by chrF++ are kept. Rows are
shuffled; those of a curriculum (`training.mix --order curriculum`) are seen in their order once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import click

from services.errors import InvalidInput
from training.checkpoints import read_state, save_state
from training.interruption import whole
from training.job import Job, out_option, resume_option, seed_option
from training.rows import read_rows
from training.run_folder import RunFolder, whole_folder
from training.texts.curriculum import noted_order, order_of

MODEL, CHECKPOINT, CURVE = "model", "checkpoint.pt", "curve.jsonl"


@click.command(cls=Job)
@click.option(
    "--data",
    "data_folders",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    multiple=True,
    help="A folder with train.jsonl and dev.jsonl. Of several, each pass takes the next one's "
    "train.jsonl, so that each can be augmented in another way; the first one's dev.jsonl judges.",
)
@out_option
@click.option(
    "--model",
    type=click.Path(path_type=Path, file_okay=False),
    help="Go on from this model instead of from nothing.",
)
@click.option("--steps", type=click.IntRange(1), default=20_000, help="Steps of the optimiser.")
@click.option("--batch-tokens", type=click.IntRange(16), default=2000, help="Of one batch, padded.")
@click.option("--accumulate", type=click.IntRange(1), default=2, help="Batches a step.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=0.003,
    help="Of a new model; 0.00003 to go on from one.",
)
@click.option(
    "--muon-learning-rate", type=click.FloatRange(0, min_open=True), default=0.02, help="Matrices'."
)
@click.option("--no-muon", is_flag=True, help="AdamW for all weights: for fine-tuning.")
@click.option("--weight-decay", type=click.FloatRange(0), default=0.01)
@click.option("--warmup-steps", type=click.IntRange(0), default=400)
@click.option("--decay-share", type=click.FloatRange(0, 1), default=0.5, help="Of all steps.")
@click.option("--average-decay", type=click.FloatRange(0, 1), default=0.998)
@click.option("--max-tokens", type=click.IntRange(8, 500), default=128, help="Longer: left out.")
@click.option("--evaluate-every", type=click.IntRange(1), default=1000, help="Steps.")
@click.option("--model-width", type=click.IntRange(16), default=256, help="New models only.")
@click.option("--feed-forward-width", type=click.IntRange(16), default=1024)
@click.option("--encoder-layers", type=click.IntRange(1), default=6)
@click.option("--decoder-layers", type=click.IntRange(1), default=2)
@click.option("--vocabulary-size", type=click.IntRange(64), default=8000)
@click.option(
    "--dropout",
    type=click.FloatRange(0, 1),
    help="0 learns faster where each text is seen a few times only.  [default: 0.1 of a new "
    "model; that of --model]",
)
@click.option(
    "--precision",
    type=click.Choice(["bfloat16", "float32"]),
    default="bfloat16",
    help="To compute in.",
)
@seed_option
@resume_option
def marian(data_folders: tuple[Path, ...], out: Path, resume: bool, **options: Any) -> None:
    """Train a small Marian model on train.jsonl and keep what is best on dev.jsonl.

    Ctrl-C and SIGTERM keep a checkpoint; --resume with the same options goes on from it.
    """
    import accelerate
    import torch
    from rich.progress import Progress
    from torch.utils.tensorboard import SummaryWriter

    from training.small_model.loss import summed_loss, token_weight
    from training.small_model.model import (
        MarianTokens,
        Size,
        keep_positions,
        keep_start_at_zero,
        new_model,
        new_tokenizer,
        read_model,
    )
    from training.small_model.optimiser import Optimiser, rate_factor
    from training.small_model.token_batches import encode, padded, passes
    from training.small_model.translations import dev_scores

    inputs = {f"data_{index}": folder / "train.jsonl" for index, folder in enumerate(data_folders)}
    inputs["dev"] = data_folders[0] / "dev.jsonl"
    if options["model"]:
        inputs["model"] = options["model"]
    accelerator = accelerate.Accelerator(cpu=not torch.accelerator.is_available())
    is_first = accelerator.is_main_process
    order = order_of(data_folders[0])
    told = options | {"data": [str(folder) for folder in data_folders]} | noted_order(order)
    # The others compute and write nothing.
    run = RunFolder(out, "marian", told, inputs=inputs, resumes=resume) if is_first else None
    accelerator.wait_for_everyone()
    seed = options["seed"]
    torch.manual_seed(seed)

    with run or contextlib.nullcontext():
        train = [list(read_rows(folder / "train.jsonl")) for folder in data_folders]
        dev = list(read_rows(inputs["dev"]))
        if not dev:
            raise InvalidInput("NO_ROWS", f"{inputs['dev']} is empty; nothing could be judged")
        tokenizer_folder = options["model"] or out / "tokenizer"
        if options["model"]:
            model = read_model(options["model"], dropout=options["dropout"])
        else:
            told_size = {field.name: options[field.name] for field in dataclasses.fields(Size)}
            size = Size(**{name: told for name, told in told_size.items() if told is not None})
            model = new_model(size)
            if is_first and not tokenizer_folder.exists():
                tags = {row.tag for rows in train for row in rows if row.tag}
                texts = (text for row in train[0] for text in (row.source, row.target))
                with whole_folder(tokenizer_folder) as part:
                    new_tokenizer(part, texts, size.vocabulary_size, tags)
            accelerator.wait_for_everyone()
        tokens = MarianTokens(tokenizer_folder)
        encoded = [encode(rows, tokens, max_tokens=options["max_tokens"]) for rows in train]
        if run:
            run.note(
                parameters=sum(weight.numel() for weight in model.parameters()),
                train_rows=[len(rows) for rows in train],
                too_long_rows=[one.dropped_count for one in encoded],
            )

        model.to(accelerator.device, getattr(torch, options["precision"])).train()
        keep_start_at_zero(model)
        keep_positions(model)
        optimiser = Optimiser(
            model,
            learning_rate=options["learning_rate"],
            muon_learning_rate=None if options["no_muon"] else options["muon_learning_rate"],
            weight_decay=options["weight_decay"],
            average_decay=options["average_decay"],
        )
        computing = accelerator.prepare(model)
        writer = SummaryWriter(str(out / "tensorboard")) if is_first else None
        step, target_tokens, trained_s = 0, 0, 0.0
        if resume and (kept := read_state(out / CHECKPOINT)):
            optimiser.load_state(kept["optimiser"])
            step, target_tokens, trained_s = (
                kept[name] for name in ("step", "target_tokens", "trained_s")
            )

        def save_checkpoint() -> None:
            state = {"step": step, "target_tokens": target_tokens, "trained_s": trained_s}
            save_state(out / CHECKPOINT, {"optimiser": optimiser.state(), **state})

        def judge(run: RunFolder) -> None:
            """Translates dev.jsonl with the averaged weights; keeps them when they are best."""
            with optimiser.averaged():
                scores = dev_scores(model, tokens, dev, options["max_tokens"])
                line = {"step": step, "target_tokens": target_tokens, "minutes": trained_s / 60}
                with (out / CURVE).open("a", encoding="utf-8") as curve:
                    curve.write(json.dumps(line | scores) + "\n")
                for name, value in scores.items():
                    if writer:
                        writer.add_scalar(f"dev/{name}", value, step)
                shown = ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
                click.echo(f"step {step}, {trained_s / 60:.0f} min: {shown}")
                best = run.manifest["metrics"].get("best")
                if best is None or scores["chrf"] > best["chrf"]:
                    with whole_folder(out / MODEL) as part:
                        model.save_pretrained(part)
                        tokens.copy_to(part)
                    best = {"step": step, **scores}
                run.note(judged_step=step, best=best)

        workers = accelerator.num_processes
        batches = passes(
            encoded,
            options["batch_tokens"],
            seed,
            order=order,
            first_batch=step * options["accumulate"] * workers,
        )
        loss_sum = weight_sum = last_log_loss = 0.0
        with Progress(transient=True) as progress:
            bar = progress.add_task("training", total=options["steps"], completed=step)
            try:
                while True:
                    is_due = step % options["evaluate_every"] == 0 or step == options["steps"]
                    # A run that was stopped while it was judged is judged first.
                    if run and is_due and step > run.manifest["metrics"].get("judged_step", 0):
                        judge(run)
                        save_checkpoint()
                    if step == options["steps"]:
                        break
                    started = time.monotonic()
                    # A step's randomness is its own, so that a resumed run draws the same.
                    torch.manual_seed(seed * 1_000_003 + step * workers + accelerator.process_index)
                    chosen = [next(batches) for _ in range(options["accumulate"] * workers)]
                    mine = [
                        padded(one, indexes, tokens.pad_id).to(accelerator.device)
                        for one, indexes in chosen[accelerator.process_index :: workers]
                    ]
                    total = accelerator.reduce(
                        torch.tensor(sum(map(token_weight, mine)), device=accelerator.device)
                    ).item()
                    for batch in mine:
                        loss, log_loss = summed_loss(computing, batch)
                        # Gradients are averaged over the workers: times their number, a sum.
                        accelerator.backward(loss * workers / total)
                        loss_sum += log_loss
                    factor = rate_factor(
                        step,
                        options["steps"],
                        warmup_steps=options["warmup_steps"],
                        decay_share=options["decay_share"],
                    )
                    with whole():
                        gradient_norm = optimiser.step(factor, clip_norm=1.0)
                        step += 1
                        target_tokens += int(total)
                        trained_s += time.monotonic() - started
                    weight_sum += total
                    progress.update(bar, completed=step)
                    if step % 10 == 0 or step == options["steps"]:
                        of_all = torch.tensor(loss_sum, device=accelerator.device)
                        last_log_loss = accelerator.reduce(of_all).item() / weight_sum
                        loss_sum = weight_sum = 0.0
                        if writer:
                            writer.add_scalar("train/log_loss", last_log_loss, step)
                            writer.add_scalar("train/rate_factor", factor, step)
                            writer.add_scalar("train/gradient_norm", gradient_norm, step)
                    if run and step == options["steps"]:
                        run.note(
                            last_log_loss=last_log_loss,
                            last_gradient_norm=gradient_norm,
                            step=step,
                            target_tokens=target_tokens,
                            target_tokens_per_s=round(target_tokens / max(trained_s, 1e-9)),
                            minutes=round(trained_s / 60, 1),
                        )
            except KeyboardInterrupt:
                if is_first:
                    save_checkpoint()
                    click.echo(f"stopped at step {step}; --resume goes on from there", err=True)
                raise
        if run:
            chrf = run.manifest["metrics"]["best"]["chrf"]
            click.echo(f"best chrF++ {chrf:.2f}; the model is in {out / MODEL}")


if __name__ == "__main__":
    marian()
