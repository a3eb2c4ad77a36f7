"""Takes a session out of what the jobs of training keep.

    python -m training.forget --session 20261122-100214-5f0c33ab

`./glossa queue forget` calls it, and deletes what the services and datasets hold. Call it yourself
where training runs on another machine, or in a container of its own.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from cli.stack import DEFAULT_STATE_DIR
from services.errors import WrongState
from training.collected.forgetting import Forgotten
from training.collected.forgetting import forget as take_out
from training.job import Job


@click.command(cls=Job)
@click.option("--session", "session_id", required=True, help="Its id.")
@click.option(
    "--state-dir",
    "state_dirs",
    type=click.Path(path_type=Path, file_okay=False),
    multiple=True,
    default=[DEFAULT_STATE_DIR],
    show_default="var",
    help="Where runs, cycles and versions lie, at any depth. May be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Write what was done as JSON.")
def forget(session_id: str, state_dirs: tuple[Path, ...], as_json: bool) -> None:
    """Take a session out of mixes, evaluations, cycles and clips.

    What a model has learned from it, it keeps: the runs that read it are named, and marked. Exit
    status 1: a job is writing what it has read; call this again when it has ended.

    \b
    python -m training.forget --session 20261122-100214-5f0c33ab
    """
    if not session_id.strip():
        raise click.UsageError("--session is empty")
    forgotten = take_out(session_id, [path.resolve() for path in state_dirs])
    if as_json:
        click.echo(json.dumps(asdict(forgotten), default=str))
    else:
        _show(forgotten)
    if forgotten.busy:
        raise WrongState(
            "RUN_UNDER_WAY",
            f"{', '.join(map(str, forgotten.busy))}: a job is at work there and may write what it "
            "has read; when it has ended, or you have stopped it, forget once more",
        )


def _show(forgotten: Forgotten) -> None:
    click.echo(f"{forgotten.row_count} rows taken out of {len(forgotten.files)} files")
    for folder in forgotten.learned:
        click.echo(f"{folder} had read them; a model that learned from them is as it was")


if __name__ == "__main__":
    forget()
