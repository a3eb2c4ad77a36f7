"""Logit-level distillation: a Marian model learns another's probabilities, token by token.

python -m training.distill logits --data var/training/mix --teacher T --student S --out OUT
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from training.checkpoints import read_state, save_state
from training.interruption import whole
from training.job import Job, out_option, resume_option, seed_option
from training.rows import Row, read_rows, write_rows
from training.run_folder import RunFolder, whole_folder, write_json
from training.texts.curriculum import noted_order, order_of

_FOLDER = click.Path(path_type=Path, file_okay=False)
_CHECKPOINT = "checkpoint.pt"


@click.command(cls=Job)
@click.option("--data", type=_FOLDER, required=True, help="A folder with train.jsonl, dev.jsonl.")
@click.option("--teacher", "teacher_folder", type=_FOLDER, required=True, help="A Marian model.")
@click.option(
    "--student",
    "student_folder",
    type=_FOLDER,
    required=True,
    help="Another, smaller one, as training.marian writes it.",
)
@out_option
@click.option("--steps", type=click.IntRange(1), default=2000, help="Of each round.")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=1,
    help="From the second on every other pass is over what the student itself writes, where its "
    "teacher's probabilities alone count.",
)
@click.option("--alpha", type=click.FloatRange(0, 1), default=0.5, help="The teacher's part.")
@click.option(
    "--temperature", type=click.FloatRange(0, min_open=True), default=2.0, help="Softens both."
)
@click.option("--batch-tokens", type=click.IntRange(16), default=2000, help="Of one batch, padded.")
@click.option("--accumulate", type=click.IntRange(1), default=2, help="Batches a step.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=0.0003)
@click.option("--weight-decay", type=click.FloatRange(0), default=0.01)
@click.option("--warmup-steps", type=click.IntRange(0), default=100)
@click.option("--max-tokens", type=click.IntRange(8, 500), default=128, help="Longer: left out.")
@click.option("--save-every", type=click.IntRange(1), default=500, help="Steps.")
@seed_option
@resume_option
def logits(out: Path, resume: bool, **options: Any) -> None:
    """Let a Marian model learn another's probabilities, and tell how far they agree.

    Vocabularies may differ: the two are compared where both have written the same characters, over
    the pieces that both have. Ctrl-C and SIGTERM keep a checkpoint; --resume goes on from it.
    """
    import torch
    from rich.progress import Progress
    from torch.utils.tensorboard import SummaryWriter

    from training.distillation.classroom import Classroom
    from training.small_model.model import MarianTokens, read_model
    from training.small_model.optimiser import Optimiser, rate_factor

    data, steps = options["data"], options["steps"]
    inputs = {name: data / f"{name}.jsonl" for name in ("train", "dev")}
    inputs |= {name: options[f"{name}_folder"] for name in ("teacher", "student")}
    order = order_of(data)
    options |= noted_order(order)
    with RunFolder(out, "distill logits", options, inputs=inputs, resumes=resume) as run:
        train, dev = (list(read_rows(inputs[name])) for name in ("train", "dev"))
        room = Classroom(
            read_model(inputs["student"]),
            read_model(inputs["teacher"]),
            MarianTokens(inputs["student"]),
            MarianTokens(inputs["teacher"]),
            max_tokens=options["max_tokens"],
            temperature=options["temperature"],
        )
        run.note(shared_pieces=len(room.shared.student), student_pieces=len(room.student_tokens))
        optimiser = Optimiser(
            room.student,
            learning_rate=options["learning_rate"],
            muon_learning_rate=None,
            weight_decay=options["weight_decay"],
            average_decay=0.998,
        )
        done = 0
        if resume and (kept := read_state(out / _CHECKPOINT)):
            optimiser.load_state(kept["optimiser"])
            done = kept["done"]
        agreement: list[dict[str, float]] = run.manifest["metrics"].get("agreement", [])
        writer = SummaryWriter(str(out / "tensorboard"))

        def save() -> None:
            save_state(out / _CHECKPOINT, {"optimiser": optimiser.state(), "done": done})

        def measure() -> None:
            """Before the first round, and behind each; a run that was stopped in it does it now."""
            if len(agreement) * steps == done:
                with optimiser.averaged():
                    agreement.append(room.agreement(dev))
                run.note(agreement=agreement)

        def teach(number: int, advance: Callable[[], None]) -> None:
            nonlocal done
            courses = [(train, options["alpha"])]
            if number:
                courses.append((_own_rows(out / f"own-{number + 1}.jsonl", train, room), 1.0))
            seed = options["seed"] + 1000 * number
            first = (done - number * steps) * options["accumulate"]
            batches = room.lessons(
                courses,
                options["batch_tokens"],
                seed,
                order="shuffled" if number else order,
                first_batch=first,
            )
            while done < (number + 1) * steps:
                # A step's randomness is its own, so that a resumed run draws the same.
                torch.manual_seed(options["seed"] * 1_000_003 + done)
                loss = room.learn([next(batches) for _ in range(options["accumulate"])])
                factor = rate_factor(
                    done - number * steps,
                    steps,
                    warmup_steps=options["warmup_steps"] if not number else 0,
                    decay_share=0.5,
                )
                with whole():
                    optimiser.step(factor, clip_norm=1.0)
                    done += 1
                writer.add_scalar("train/loss", loss, done)
                advance()
                if done % options["save_every"] == 0:
                    save()

        with Progress(transient=True) as progress:
            bar = progress.add_task("distilling", total=steps * options["rounds"], completed=done)
            try:
                measure()
                for number in range(done // steps, options["rounds"]):
                    teach(number, lambda: progress.advance(bar))
                    measure()
                    save()
            except KeyboardInterrupt:
                save()
                click.echo(f"stopped at step {done}; --resume goes on from there", err=True)
                raise
        with optimiser.averaged(), whole_folder(out / "model") as part:
            room.student.save_pretrained(part)
            room.student_tokens.copy_to(part)
        write_json(out / "agreement.json", agreement)
        for number, line in enumerate(agreement):
            told = ", ".join(f"{name} {value:.2f}" for name, value in line.items())
            click.echo(f"after round {number}: {told}" if number else f"before: {told}")
        click.echo(f"the model is in {out / 'model'}")


def _own_rows(path: Path, rows: list[Row], room: Any) -> list[Row]:
    """What the student writes at the beginning of a round; kept, so that a resumed run has it."""
    if not path.exists():
        texts = room.translations(room.student, room.student_tokens, rows)
        write_rows(
            path,
            (replace(row, target=text) for row, text in zip(rows, texts, strict=True) if text),
        )
    return list(read_rows(path))
