"""A cycle under way: alone on its GPU, stopped gently, ended early, failed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.errors import WrongState
from services.settings import port
from tests.collector.redis_process import RedisProcess
from tests.processes import free_port_base
from training.cycle import cycle
from training.cycling.gpu_lock import gpu_lock
from training.cycling.step_process import run_job
from training.rows import Row, write_rows


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cycle, [str(argument) for argument in arguments])


def _hold(path: Path, ready: Any, over: Any) -> None:
    with gpu_lock(path, "somebody's training", wait_s=0, say=print):
        ready.set()
        over.wait(30)


def test_one_training_at_a_time_and_the_other_is_told_whose_it_is(
    plan_file: Callable[..., Path], plan_folder: Path
) -> None:
    lock = plan_folder / "var/gpu.lock"
    processes = multiprocessing.get_context("spawn")
    ready, over = processes.Event(), processes.Event()
    holder = processes.Process(target=_hold, args=(lock, ready, over))
    holder.start()
    try:
        assert ready.wait(30)
        done = run("--plan", plan_file(), "--out", "cycle")
        assert done.exit_code == 1
        assert f"in use by somebody's training (process {holder.pid} on " in done.output
        assert not (plan_folder / "cycle").exists()

        told: list[str] = []

        def say(line: str) -> None:
            told.append(line)
            over.set()

        with gpu_lock(lock, "me", wait_s=30, say=say):
            assert len(told) == 1
    finally:
        over.set()
        holder.join(30)


def test_a_step_that_outlives_its_cycle_keeps_the_gpu(plan_folder: Path) -> None:
    lock = plan_folder / "gpu.lock"
    with gpu_lock(lock, "a cycle", wait_s=0, say=print) as descriptor:
        orphan = subprocess.Popen(["sleep", "60"], pass_fds=(descriptor,))
    try:
        with (
            pytest.raises(WrongState, match="in use by a cycle"),
            gpu_lock(lock, "me", wait_s=0, say=print),
        ):
            pass
    finally:
        orphan.kill()
        orphan.wait()
    with gpu_lock(lock, "me", wait_s=0, say=print):
        pass


def _stopped(plan_folder: Path) -> None:
    with (plan_folder / "lock").open("w") as lock:
        program = (
            "import pathlib, time\n"
            "try:\n    pathlib.Path('begun').touch(); time.sleep(60)\n"
            "except KeyboardInterrupt:\n    time.sleep(0.5); pathlib.Path('kept').touch()\n"
        )
        os.chdir(plan_folder)
        run_job([sys.executable, "-c", program], keeps_open=lock.fileno())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_step_may_keep_what_it_has_when_the_cycle_is_stopped(
    plan_folder: Path, number: signal.Signals
) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_stopped, args=(plan_folder,))
    process.start()
    until = time.monotonic() + 30
    while not (plan_folder / "begun").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(30)
    assert (plan_folder / "kept").exists()


def test_a_week_without_new_pairs_ends_early_and_well(
    plan_file: Callable[..., Path], plan_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOSSA_DATASETS_DIR", str(plan_folder / "datasets"))
    only_held_out = plan_folder / "datasets/marian/20261101/en-es.test/pairs.jsonl"
    write_rows(only_held_out, [Row("Amen.", "Amén.", "sermon", "s", "20261101-1")])
    (only_held_out.parents[1] / "manifest.json").write_text("{}")
    server = RedisProcess(port("redis", free_port_base()), plan_folder / "redis")
    server.start()
    try:
        url = server.url_of("trainer", server.port)
        plan = plan_file(head="minimum_pairs = 5", more=f'[snapshot]\nredis = "{url}"\n')
        done = run("--plan", plan, "--out", plan_folder / "cycle")
    finally:
        server.kill()
    assert done.exit_code == 0, done.output
    assert "0 pairs are new since the last training, and 5 are wanted" in done.output
    record = json.loads((plan_folder / "cycle/cycle.json").read_text())
    assert record["status"] == "nothing_new"
    assert record["steps"].keys() == {"snapshot"}
    assert record["sermons"] == ["20261101"], "a mix is told what is held out"


def test_a_step_that_fails_ends_the_cycle_and_says_how_to_go_on(
    plan_file: Callable[..., Path], plan_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOSSA_DATASETS_DIR", str(plan_folder / "datasets"))
    plan = plan_file(more='[snapshot]\nredis = "redis://trainer:x@127.0.0.1:1/0"\n')
    done = run("--plan", plan, "--out", plan_folder / "cycle")
    assert done.exit_code == 1
    assert f"--resume --out {plan_folder / 'cycle'}" in done.output
    record = json.loads((plan_folder / "cycle/cycle.json").read_text())
    assert record["status"] == "failed"
    assert record["steps"]["snapshot"]["status"] == "failed"
