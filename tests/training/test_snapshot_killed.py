"""A snapshot that is killed at any step: each pair is stored exactly once all the same."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.collector.pairs import reviewed
from tests.processes import REPOSITORY
from tests.training.collected_church import Church, ids
from training.snapshot import snapshot


def killed_at(point: int, arguments: list[str]) -> bool:
    """Makes a snapshot and kills it -9 at the n-th step; whether it came so far.

    Steps are before and after each command to Redis, each fsync and each rename.
    """

    def run() -> None:
        steps = itertools.count()

        def step() -> None:
            if next(steps) == point:
                os.kill(os.getpid(), signal.SIGKILL)

        def with_steps(owner: Any, name: str) -> None:
            real = getattr(owner, name)

            def stepping(*positional: Any, **named: Any) -> Any:
                step()
                result = real(*positional, **named)
                step()
                return result

            setattr(owner, name, stepping)

        with_steps(redis.Redis, "execute_command")
        with_steps(os, "fsync")
        with_steps(Path, "rename")
        snapshot.main(arguments, standalone_mode=False)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.mark.parametrize(
    ("again", "stride"),
    [(["--consumer", "desk"], 1), (["--consumer", "laptop", "--reclaim-after", "0"], 3)],
    ids=["the same machine goes on", "another machine takes over"],
)
def test_killed_at_any_step_it_neither_loses_nor_doubles_a_pair(
    church: Church, again: list[str], stride: int
) -> None:
    for point in itertools.count(0, stride):
        run = Church(church.server, church.folder / str(point))
        os.environ["GLOSSA_DATASETS_DIR"] = str(run.folder)
        run.preach(1, range(1, 5))
        run.collect(reviewed(run.said(1, 4), 5))
        run.preach(2, range(1, 4))
        out = ["--consumer", "desk", "--out", str(run.folder / "first")]
        is_killed = killed_at(point, [*run.arguments(), *out])
        run.preach(2, range(4, 6))
        assert run.snapshot("second", *again).exit_code == 0
        assert run.stored() == dict.fromkeys(ids(1, 1, 2, 3, 4) | ids(2, 1, 2, 3, 4, 5), 1), point
        assert run.pending() == 0, point
        if not is_killed:
            break
    assert point > 20


def test_a_snapshot_that_is_killed_as_a_process_is_made_up_for(church: Church) -> None:
    church.preach(1, range(1, 40))
    command = [sys.executable, "-m", "training.snapshot", *church.arguments()]
    process = subprocess.Popen(command, cwd=REPOSITORY)
    while not list(church.folder.rglob(".*.part")) and process.poll() is None:
        pass
    process.kill()
    process.wait()
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert church.stored() == dict.fromkeys(ids(1, *range(1, 40)), 1), done.stderr
    assert church.pending() == 0
