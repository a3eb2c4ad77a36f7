"""What a run of `gemma` or `galore` says at its end."""

from __future__ import annotations

import rich
from rich.table import Table

from training.run_folder import RunFolder


def show(run: RunFolder, losses: dict[str, float], result: str) -> None:
    """A table of the best model's dev losses, and the rung at which it was trained."""
    table = Table("dev.jsonl", "loss a token", title=f"Step {run.manifest['metrics']['best_step']}")
    for name, loss in losses.items():
        table.add_row(name.removeprefix("eval_loss_").replace("eval_loss", "all"), f"{loss:.4f}")
    rich.print(table)
    rung = run.manifest["metrics"]["ladder"][-1]
    rich.print(
        f"{rung['batch_size']} rows at once, {rung['accumulation']} times a step, rows of at most "
        f"{rung['max_tokens']} tokens{', embeddings too' if rung['trains_embeddings'] else ''}"
    )
    rich.print(f"[bold]{run.path / result}[/bold]")
