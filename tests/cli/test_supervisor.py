"""`./glossa up` with real processes: nothing is left running, nothing stays dead."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from cli import stack
from services.settings import port
from tests.processes import REPOSITORY, free_port_base

START_TIMEOUT_S = 90.0


class Up:
    """`glossa up` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = free_port_base()
        self.process: subprocess.Popen[str]

    def start(self, *arguments: str, **environment: str) -> None:
        variables = {k: v for k, v in os.environ.items() if not k.startswith("GLOSSA_")}
        with (self.folder / "up.log").open("w") as log_file:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "cli", "up"),
                    *("--port-base", str(self.base), *arguments),
                ],
                env={
                    **variables,
                    "GLOSSA_STATE_DIR": str(self.folder / "state"),
                    "GLOSSA_MODELS_DIR": str(self.folder / "models"),
                    **environment,
                },
                cwd=REPOSITORY,
                stderr=log_file,
                text=True,
                start_new_session=True,
            )

    def output(self) -> str:
        return (self.folder / "up.log").read_text()

    def description(self) -> dict[str, Any]:
        return stack.read_description(self.folder / "state") or {}

    def pid(self, service: str) -> int | None:
        found: int | None = self.description().get("services", {}).get(service, {}).get("pid")
        return found

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    async def until(
        self, condition: Callable[[], bool], timeout_s: float = START_TIMEOUT_S
    ) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"not in {timeout_s} s; up said: {self.output()}")

    async def until_ready(self) -> None:
        await self.until(
            lambda: self.description().get("phase") == "ready" or self.process.poll() is not None
        )
        assert self.process.poll() is None, self.output()

    async def exit_status(self, timeout_s: float = 30) -> int:
        await self.until(lambda: self.process.poll() is not None, timeout_s)
        return self.process.returncode


@pytest_asyncio.fixture
async def up(tmp_path: Path) -> AsyncIterator[Up]:
    up = Up(tmp_path)
    yield up
    if up.process.poll() is None:
        up.process.kill()
        up.process.wait()


def path_without_a_card(folder: Path) -> str:
    """A PATH on which nvidia-smi is one that finds nothing, as without a card."""
    tool = folder / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexit 9\n")
    tool.chmod(0o755)
    return f"{tool.parent}:{os.environ['PATH']}"


def are_gone(processes: list[psutil.Process]) -> bool:
    return not any(
        process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes
    )


async def test_up_keeps_every_service_running_and_stops_in_good_order(up: Up) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as systemd:
        systemd.bind(str(up.folder / "notify"))
        up.start(NOTIFY_SOCKET=str(up.folder / "notify"))
        await up.until_ready()
        async with asyncio.timeout(10):
            assert await asyncio.get_running_loop().sock_recv(systemd, 100) == b"READY=1"
    description = up.description()
    assert set(description["services"]) == {"redis", *stack.SERVICES}
    assert {entry["state"] for entry in description["services"].values()} == {"ready"}
    assert description["page_url"] in up.output()
    assert description["review_url"] in up.output()
    folders = [path for path in (up.folder / "state").iterdir() if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}  # sermons are private

    second = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-P", "-m", "cli", "up", "--port-base", str(free_port_base())],
        env={**os.environ, "GLOSSA_STATE_DIR": str(up.folder / "state")},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode == 1
    assert "ALREADY_RUNNING" in second.stderr

    # A killed service comes back, as another process, and what it had started is gone.
    old_pid = up.pid("mt")
    assert old_pid is not None
    its_own = psutil.Process(old_pid).children(recursive=True)
    os.kill(old_pid, signal.SIGKILL)
    await up.until(lambda: "mt is ready again" in up.output(), 30)
    assert up.pid("mt") not in (None, old_pid)
    assert up.description()["services"]["mt"]["restarts"] == 1
    assert "mt was killed by signal 9; starting it again in 0.25 s" in up.output()
    assert are_gone(its_own)

    # One that hangs is found out, killed and started again.
    hanging_pid = up.pid("collector")
    assert hanging_pid is not None
    os.kill(hanging_pid, signal.SIGSTOP)
    await up.until(lambda: "collector is ready again" in up.output(), 40)
    assert "collector gave no sign of life" in up.output()
    assert not psutil.pid_exists(hanging_pid)

    processes = up.descendants()
    assert len(processes) >= len(stack.SERVICES) + 1
    up.process.send_signal(signal.SIGTERM)
    assert await up.exit_status() == 0
    assert are_gone(processes)
    assert not (up.folder / "state" / "stack.json").exists()
    assert "was killed" not in up.output().rpartition("stopping")[2]


async def test_a_killed_supervisor_leaves_no_process_behind(up: Up) -> None:
    up.start()
    await up.until(lambda: "mt is ready" in up.output() and up.pid("redis") is not None)
    processes = up.descendants()
    assert len(processes) > 4  # the first wave, and what mt has started
    up.process.kill()
    up.process.wait()
    await up.until(lambda: are_gone(processes), 10)
    assert up.description() == {}  # what it left on disk is not taken for a running stack


async def test_a_taken_port_is_one_line_and_nothing_starts(up: Up) -> None:
    taken = port("qe", up.base)
    with socket.socket() as other:
        other.bind(("127.0.0.1", taken))
        other.listen()
        up.start()
        assert await up.exit_status() == 1
    lines = up.output().splitlines()
    assert len(lines) == 1
    assert f"port {taken} (for qe) is taken" in lines[0]
    assert not (up.folder / "state" / "logs").exists()


async def test_certificates_that_are_not_there_are_told_once_and_without_a_traceback(
    up: Up,
) -> None:
    nothing = up.folder / "certificates"
    nothing.mkdir()
    up.start(GLOSSA_CERTIFICATES_DIR=str(nothing))
    assert await up.exit_status() == 2
    (line,) = up.output().splitlines()
    assert "./glossa certs makes" in line
    assert "CERTIFICATE_MISSING" in line


async def test_a_missing_tool_is_one_line(up: Up) -> None:
    up.start(PATH="/nonexistent")
    assert await up.exit_status() == 1
    assert up.output() == (
        "Error: redis-server is not installed (on Debian: apt-get install redis-server) "
        "(TOOL_MISSING)\n"
    )


async def test_a_profile_that_cannot_run_here_is_a_line_for_each_reason_and_nothing_starts(
    up: Up,
) -> None:
    up.start(
        GLOSSA_PROFILE="rtx2070", PATH=path_without_a_card(up.folder), GLOSSA_MT_RUNTIME="abacus"
    )
    assert await up.exit_status() == 1
    said = up.output()
    assert "GLOSSA_MT_RUNTIME=abacus is no engine: there are apertium, " in said
    assert "no NVIDIA card answers (wanted by faster_whisper)" in said
    assert "model large-v3-turbo (1.62 GB) is missing: ./glossa models pull" in said
    assert said.rstrip().endswith("(NOT_READY)")
    assert not (up.folder / "state" / "logs").exists()


async def test_a_service_that_cannot_start_is_shown_with_the_end_of_its_log(up: Up) -> None:
    up.start(GLOSSA_MT_LOG_LEVEL="loud")
    assert await up.exit_status(60) == 1
    assert "mt could not be started: it ended with 2" in up.output()
    assert "GLOSSA_MT_LOG_LEVEL" in up.output()


def test_the_environment_wins_over_the_profile(tmp_path: Path) -> None:
    plan = stack.plan("embedded", tmp_path, 20_000, {"GLOSSA_STT_ENGINE": "other", "PATH": "/bin"})
    variables = plan.child_environment()
    assert variables["GLOSSA_STT_ENGINE"] == "other"
    assert variables["GLOSSA_MT_RUNTIME"] == "embedded"
    assert variables["GLOSSA_GATEWAY_STT_ADDRESS"] == f"127.0.0.1:{port('stt', 20_000)}"


def test_a_value_that_compose_takes_from_outside_is_read_as_its_default() -> None:
    assert stack.read_profile("rtx2070")["GLOSSA_MT_RUNTIME"] == "gguf"
    assert stack.read_profile("rtx2070")["GLOSSA_MT_MODEL"] == ""


def test_models_lie_in_one_folder_for_every_service(tmp_path: Path) -> None:
    variables = stack.plan("cpu", tmp_path, 20_000, {}).child_environment()
    assert variables["GLOSSA_STT_MODELS_DIR"] == str(REPOSITORY / "var" / "models")
    assert variables["GLOSSA_MT_MODELS_DIR"] == variables["GLOSSA_STT_MODELS_DIR"]
    moved = {"GLOSSA_MODELS_DIR": str(tmp_path), "GLOSSA_MT_MODELS_DIR": "/mt"}
    variables = stack.plan("cpu", tmp_path, 20_000, moved).child_environment()
    assert variables["GLOSSA_STT_MODELS_DIR"] == str(tmp_path)
    assert variables["GLOSSA_MT_MODELS_DIR"] == "/mt"


def test_a_second_mt_has_its_own_ports_and_runtime_and_the_gateway_knows_it(tmp_path: Path) -> None:
    wanted = {
        "GLOSSA_MT_ALTERNATIVE_RUNTIME": "apertium",
        "GLOSSA_MT_ALTERNATIVE_QUEUE_SIZE": "7",
    }
    plan = stack.plan("rtx3090", tmp_path, 20_000, wanted)
    assert stack.ALTERNATIVE in plan.services
    first, second = plan.child_environment("mt"), plan.child_environment(stack.ALTERNATIVE)
    assert first["GLOSSA_MT_RUNTIME"] == "gguf"
    assert first["GLOSSA_GATEWAY_MT_ALTERNATIVE_ADDRESS"] == plan.address(stack.ALTERNATIVE)
    assert second["GLOSSA_MT_RUNTIME"] == "apertium"
    assert second["GLOSSA_MT_QUEUE_SIZE"] == "7"
    assert second["GLOSSA_MT_GRPC_PORT"] == str(port("mt_alternative", 20_000))
    assert not {"GLOSSA_MT_MODEL", "GLOSSA_MT_DRAFT_RUNTIME"} & second.keys()


def test_without_a_second_mt_nothing_listens_for_it(tmp_path: Path) -> None:
    plan = stack.plan("embedded", tmp_path, 20_000, {})
    assert stack.ALTERNATIVE not in plan.services
    assert not [name for name in plan.ports() if name.startswith(stack.ALTERNATIVE)]
    assert "GLOSSA_GATEWAY_MT_ALTERNATIVE_ADDRESS" not in plan.child_environment()


async def test_up_starts_a_second_mt_that_translates_by_itself(up: Up) -> None:
    up.start(GLOSSA_MT_ALTERNATIVE_RUNTIME="apertium")
    await up.until_ready()
    assert up.description()["services"][stack.ALTERNATIVE]["state"] == "ready"
    assert up.pid(stack.ALTERNATIVE) not in (None, up.pid("mt"))
    up.process.send_signal(signal.SIGTERM)
    assert await up.exit_status() == 0


def test_a_redis_of_ones_own_is_used_instead(tmp_path: Path) -> None:
    url = "redis://queue.example:6379/1"
    plan = stack.plan("embedded", tmp_path, 20_000, {"GLOSSA_COLLECTOR_REDIS_URL": url})
    assert "redis" not in plan.services
    assert "redis" not in plan.ports()
    assert plan.child_environment()["GLOSSA_COLLECTOR_REDIS_URL"] == url


def test_the_leash_kills_with_its_parent(tmp_path: Path) -> None:
    """The program goes even when it ignores every signal that can be ignored."""
    leash = REPOSITORY / "cli" / "leash.py"
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    parent_code = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, {str(leash)!r}, str(os.getpid()),"
        f" sys.executable, '-c', {program!r}], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent_code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        deadline = time.monotonic() + 10
        while "time.sleep" not in " ".join(child.cmdline()[-1:]) and time.monotonic() < deadline:
            time.sleep(0.02)
        parent.kill()
        parent.wait()
        assert psutil.wait_procs([child], timeout=10)[0] == [child]
