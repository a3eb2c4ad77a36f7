"""Stores the pairs that were collected since this trainer's last snapshot, each pair once.

    python -m training.snapshot --trainer marian
    python -m training.snapshot --trainer marian --evaluation ../data/tatoeba/test.tsv

`./glossa queue snapshot` makes a dataset of all that is collected; this takes what is new and tells
the queues that it may go. Killed at any moment it loses no pair and stores none twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from cli.datasets_folder import datasets_dir
from cli.stack import DEFAULT_STATE_DIR, running_stack
from services.collector import snapshot as dataset
from services.collector.bands import BANDS, Band
from services.collector.pair_keys import CORRECTED
from services.collector.redis_client import url_with_password
from services.errors import InvalidInput, WrongState
from services.settings import address
from training.collected.earlier_snapshots import EarlierSnapshots
from training.collected.new_pairs import taken
from training.collected.pair_streams import PairStreams
from training.evaluation.sets import rows_of
from training.job import Job, resume_option, seed_option
from training.run_folder import fingerprint, git_revision, versions
from training.texts.leakage import Leakage


@click.command(cls=Job)
@click.option("--trainer", required=True, metavar="NAME", help="Who is to have each pair once.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    show_default="a new one in GLOSSA_DATASETS_DIR/<trainer>",
    help="A new folder for the snapshot.",
)
@click.option(
    "--min-band",
    type=click.Choice(("accept", "moderate")),
    default="accept",
    help="Lowest band that goes in without a person's word.",
)
@click.option(
    "--evaluation",
    "evaluations",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="What models are judged with (.jsonl, .tsv): none of it is trained on.",
)
@click.option(
    "--held-out-share",
    type=click.FloatRange(0, 0.5),
    default=0.1,
    help="Days of services that go to dev and test, all of a day together.",
)
@click.option(
    "--held-out-newest",
    type=click.IntRange(0),
    metavar="DAYS",
    help="Instead: so many of the newest days; one is always trained on.",
)
@click.option(
    "--redis",
    "redis_url",
    envvar="GLOSSA_TRAINER_REDIS_URL",
    default=lambda: f"redis://trainer@{address('redis')}/0",
    show_default="this machine's",
    help="The collector's Redis.",
)
@click.option(
    "--redis-password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="GLOSSA_TRAINER_REDIS_PASSWORD_FILE",
    show_default="the running stack's",
    help="Holds the password of the user trainer.",
)
@click.option(
    "--consumer",
    default=platform.node,
    show_default="this machine's name",
    help="Who reads for the trainer; the same name goes on where it was killed.",
)
@click.option(
    "--reclaim-after",
    "reclaim_idle_s",
    type=click.FloatRange(0),
    default=3600.0,
    metavar="SECONDS",
    help="Pairs that another consumer has had for so long and not stored are taken over.",
)
@resume_option
@seed_option
def snapshot(
    trainer: str,
    out: Path | None,
    min_band: str,
    evaluations: tuple[Path, ...],
    held_out_share: float,
    held_out_newest: int | None,
    redis_url: str,
    redis_password_file: Path | None,
    consumer: str,
    reclaim_idle_s: float,
    resume: bool,
    seed: int,
) -> None:
    """Stores the pairs that were collected since this trainer's last snapshot, each pair once.

    Sessions of some days are held out for dev and test, and stay so in later snapshots. The last
    line names the folder; `python -m training.mix --sermons FOLDER` takes it. Exit status 3 when
    nothing is new.

    \b
    Example: what is new, without the sentences of a test set
      python -m training.snapshot --trainer marian --evaluation ../data/tatoeba/test.tsv
    """
    if not trainer or Path(trainer).name != trainer or trainer.startswith("."):
        raise InvalidInput("TRAINER_NAME", "--trainer must be a name that a folder can have")
    root = datasets_dir()
    new = root / trainer / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    out = (out or new).absolute()
    if not out.is_relative_to(root):
        raise InvalidInput(
            "OUT_ELSEWHERE",
            f"{out} is outside of {root}, where forgetting a session and the next snapshot look; "
            "name a folder in there, or set GLOSSA_DATASETS_DIR",
        )
    streams = PairStreams(
        _with_password(redis_url, redis_password_file),
        trainer,
        consumer,
        (*BANDS[: BANDS.index(Band(min_band)) + 1], CORRECTED),
    )
    with contextlib.closing(streams), _alone(root, trainer):
        if resume and out.exists():
            _report(out, dataset.check(out))  # its entries are acknowledged by the next snapshot
            return
        leakages = {path.name: Leakage.of_rows(rows_of(path)) for path in evaluations}
        # Begun before anything is read: whoever forgets a session waits for what is read of it.
        with dataset.being_written(out) as folder:
            earlier = EarlierSnapshots.below(root, trainer)
            entries = streams.deliver(reclaim_idle_s)
            new_pairs = taken(
                entries, earlier, leakages, held_out_share, held_out_newest, Band(min_band), seed
            )
            if new_pairs.is_empty:
                streams.acknowledge(new_pairs.settled)
                left_out = "".join(f"; {line}" for line in _left_out(new_pairs.dropped))
                raise WrongState(
                    "NOTHING_NEW",
                    f"no pair is collected that {trainer} has not stored already{left_out}",
                )
            for (languages, split), rows in new_pairs.rows.items():
                dataset.write_pairs(folder, languages, rows, "" if split == "train" else split)
            manifest = dataset.write_manifest(
                folder,
                {
                    "trainer": {"name": trainer, "consumer": consumer},
                    "seed": seed,
                    "options": {
                        "min_band": min_band,
                        "held_out_share": held_out_share,
                        "held_out_newest": held_out_newest,
                    },
                    "evaluations": [
                        {"name": path.name, "sha256": fingerprint(path)} for path in evaluations
                    ],
                    "git_revision": git_revision(),
                    "libraries": versions(),
                    **new_pairs.facts(),
                },
            )
        streams.acknowledge(entries)
    _report(out, manifest)


def _with_password(url: str, password_file: Path | None) -> str:
    """The URL with its own password, the file's, or that of the running stack's trainer."""
    if password_file is None:
        if urlsplit(url).password:
            return url
        state_dir = Path((running_stack() or {}).get("state_dir", DEFAULT_STATE_DIR))
        password_file = state_dir / "redis" / "trainer.password"
        if not password_file.exists():
            return url
    try:
        return url_with_password(url, password_file)
    except OSError as error:
        raise InvalidInput(
            "PASSWORD_UNREADABLE", f"cannot read {password_file}: {error.strerror}"
        ) from error


@contextlib.contextmanager
def _alone(root: Path, trainer: str) -> Iterator[None]:
    """One snapshot of a trainer at a time: two would both be given what was not acknowledged."""
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / f".{trainer}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WrongState(
                "TRAINER_BUSY", f"a snapshot for {trainer} is being made; wait until it is done"
            ) from error
        yield
    finally:
        os.close(descriptor)


def _report(out: Path, manifest: Mapping[str, Any]) -> None:
    language_pairs = manifest["counts"]["language_pairs"]
    for name, tiers in language_pairs.items():
        click.echo(f"{name}: {sum(tiers.values())} pairs")
    for line in _left_out(manifest["dropped"]):
        click.echo(line)
    if not any("." in name for name in language_pairs):
        click.echo("no day of services is held out in here for dev and test")
    click.echo(out)


def _left_out(dropped: Mapping[str, Mapping[str, Sequence[str]]]) -> list[str]:
    return [
        f"left out, {reason}: {sum(map(len, sessions.values()))}"
        for reason, sessions in dropped.items()
    ]


if __name__ == "__main__":
    snapshot()
