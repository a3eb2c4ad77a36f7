"""Runs a trainer as `accelerate launch` does on two cards; where there is none, over gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.processes import REPOSITORY, free_port_base
from tests.training.cycle_church import kill_all


def run_as_two(job: str, *told: object) -> None:
    launch = [Path(sys.executable).with_name("accelerate"), "launch", "--multi_gpu"]
    launch += ["--num_processes", 2, "--main_process_port", free_port_base()]
    process = subprocess.Popen(
        list(map(str, [*launch, "-m", f"training.{job}", *told])),
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        output, _ = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        kill_all(process)
        raise
    assert process.returncode == 0, output
