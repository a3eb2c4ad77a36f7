"""What a job does when it is stopped from outside, as real processes that get real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.interruption import terminated_as_interrupted, whole

JOB = """
import time, click
from pathlib import Path
from training.job import Job
from training.run_folder import RunFolder

@click.command(cls=Job)
def slow():
    with RunFolder(Path("out"), "slow", {}):
        time.sleep(60)

slow()
"""

CALLER = """
import signal, sys
from pathlib import Path
from training.cycling.step_process import run_job

with open("lock", "w") as lock:
    run_job([sys.executable, "job.py"], keeps_open=lock.fileno())
"""


def begun(folder: Path, name: str, *, deaf: bool = False) -> subprocess.Popen[str]:
    """A process that has come as far as its run's manifest.

    Args:
        deaf: it ignores SIGINT, as what a shell has in its background does.
    """
    (folder / "job.py").write_text(JOB)
    (folder / "caller.py").write_text(CALLER)
    shell = "trap '' INT;" if deaf else ""
    process = subprocess.Popen(
        ["sh", "-c", f"{shell} exec '{sys.executable}' {name}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not (folder / "out/run.json").exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    return process


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_job_says_so_in_one_line_and_its_run_was_interrupted(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    process = begun(tmp_path, "job.py")
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert said == "slow: stopped\n"
    assert json.loads((tmp_path / "out/run.json").read_text())["status"] == "interrupted"


def test_a_step_is_stopped_gently_also_where_a_shell_has_it_ignore_ctrl_c(tmp_path: Path) -> None:
    process = begun(tmp_path, "caller.py", deaf=True)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert json.loads((tmp_path / "out/run.json").read_text())["status"] == "interrupted"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_to_be_whole_is_done_before_it_is_stopped(number: signal.Signals) -> None:
    done = []

    def job() -> None:
        with whole():
            signal.raise_signal(number)
            done.append("whole")
        done.append("more")

    with terminated_as_interrupted(), pytest.raises(KeyboardInterrupt):
        job()
    assert done == ["whole"]
