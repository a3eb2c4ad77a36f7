"""A session is spoken into a real swarm, and a replica of its mt is killed under load."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
import yaml
from docker.models.containers import Container

from services.collector.bands import BANDS
from services.settings import SERVICES, port
from tests.cli.verb import run_verb
from tests.contract.composed_session import SENTENCES, recorded, wait_for
from tests.contract.docker_compose import on_engine
from tests.processes import REPOSITORY, free_port_base


def _is_in_a_swarm() -> bool:
    with contextlib.closing(docker.from_env()) as engine:
        return bool(engine.info()["Swarm"]["LocalNodeState"] != "inactive")


pytestmark = on_engine()

CALLERS = 4
# What the gateway's container runs: calls as the gateway makes them, until the end of its input.
LOAD = f"""
import asyncio, json, sys
from pathlib import Path
from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from services.channels import Identity, identify, open_channel
from services.token_file import read_token

async def call(mt, answers):
    request = mt_pb2.TranslateRequest(text="Amen.", source_language="en", target_language="es")
    while True:
        answers.append((await mt.Translate(request, timeout=30)).text)
        await asyncio.sleep(0.02)  # leaves the processor to what starts beside it

async def main():
    token = read_token(Path("/etc/glossa/tokens/services.token"))
    identify(Identity(Path("/certificates"), "gateway", token=token))
    answers = []
    async with open_channel("dns:///tasks.mt:7304") as channel:
        mt = mt_pb2_grpc.MtServiceStub(channel)
        await mt.Translate(
            mt_pb2.TranslateRequest(text="Amen.", source_language="en", target_language="es"),
            timeout=60, wait_for_ready=True)
        calls = [asyncio.create_task(call(mt, answers)) for _ in range({CALLERS})]
        await asyncio.to_thread(sys.stdin.read)
        failed = [repr(each.exception()) for each in calls if each.done()]
        for each in calls:
            each.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    print(json.dumps({{"answers": len(answers), "failed": failed}}))

asyncio.run(main())
"""
ANSWERED = """
import re, urllib.request
from pathlib import Path
from services.certificates import client_context
context = client_context(Path("/certificates"), "mt")
page = urllib.request.urlopen("https://127.0.0.1:7305/metrics", context=context, timeout=5).read()
found = re.search(r'_count\\{code="OK",method="MtService/Translate"\\} (\\S+)', page.decode())
print(float(found[1]) if found else 0.0)
"""


class Swarm:
    """The repository's stack in a swarm of this machine alone; only the gateway's port is open."""

    def __init__(self, folder: Path) -> None:
        self.gateway_port = port("gateway", free_port_base())
        self.certificates_dir = folder / "certificates"
        self._name = f"glossa-test-{secrets.token_hex(4)}"
        self._images: list[str] = []
        self._variables = {
            "GLOSSA_CERTIFICATES_DIR": str(self.certificates_dir),
            "GLOSSA_TOKENS_DIR": str(folder / "tokens"),
            "GLOSSA_REGISTRY": f"{self._name}/",
            "GLOSSA_MT_RUNTIME": "apertium",
        }

    def up(self) -> None:
        files = ("-f", "docker-compose.yml", "-f", "docker-compose.swarm.yml")
        self._done("docker", "compose", *files, "build")
        stack = yaml.safe_load(self._done(str(REPOSITORY / "deploy" / "swarm" / "stack")))
        self._images = [service["image"] for service in stack["services"].values()]
        for service in stack["services"].values():
            service.pop("ports", None)  # a real stack may have them here
        opened = {"target": port("gateway"), "published": self.gateway_port, "mode": "host"}
        stack["services"]["gateway"]["ports"] = [opened]
        for kind in ("networks", "volumes"):
            for key in stack[kind]:
                stack[kind][key] = {"name": f"{self._name}_{key}"}
        self._done("docker", "swarm", "init", "--advertise-addr", "127.0.0.1")
        node = self._done("docker", "node", "ls", "-q").strip()
        self._done("docker", "node", "update", "--label-add", "glossa=state", node)
        deploy = ("docker", "stack", "deploy", "--detach=true", "--resolve-image", "never")
        self._done(*deploy, "--compose-file", "-", self._name, given=yaml.safe_dump(stack))
        for name in (*SERVICES, "redis"):
            wait_for(self._are_up(name, 2 if name == "mt" else 1), f"{name} is not up")

    def down(self) -> None:
        self._done("docker", "stack", "rm", self._name)
        self._done("docker", "swarm", "leave", "--force")
        with contextlib.closing(docker.from_env()) as engine:
            for container in engine.containers.list(all=True, filters={"name": self._name}):
                container.remove(force=True)
            for volume in engine.volumes.list(filters={"name": self._name}):
                volume.remove(force=True)
            for image in self._images:
                engine.images.remove(image, force=True)

    def tasks(self, service: str) -> list[Container]:
        """The healthy containers of a service."""
        with contextlib.closing(docker.from_env()) as engine:
            label = f"com.docker.swarm.service.name={self._name}_{service}"
            found = engine.containers.list(filters={"label": label, "health": "healthy"})
            return list(found)

    def pairs(self) -> int:
        """How many wait in Redis."""
        (redis,) = self.tasks("redis")
        count = "REDISCLI_AUTH=$(cat /data/operator.password) redis-cli --user operator xlen"
        asked = " && ".join(f"{count} glossa:pairs:{band}" for band in BANDS)
        status, said = redis.exec_run(["sh", "-c", asked])
        assert status == 0, said
        return sum(map(int, said.split()))

    def _are_up(self, service: str, count: int) -> Callable[[], bool]:
        return lambda: len(self.tasks(service)) == count

    def _done(self, *command: str, given: str = "") -> str:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GLOSSA_")}
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env={**kept, **self._variables},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory, certificates_dir: Path) -> Iterator[Swarm]:
    if _is_in_a_swarm():
        pytest.skip("this engine is in a swarm already, which is left alone")
    folder = tmp_path_factory.mktemp("swarm")
    shutil.copytree(certificates_dir, folder / "certificates")
    for role, name in (("service", "services"), ("ingest", "pulpit")):
        made = run_verb(
            *("tokens", "make", role, "--name", name),
            GLOSSA_TOKENS_FILE=str(folder / "tokens" / "tokens.toml"),
        )
        assert made.returncode == 0, made.stderr
        (folder / "tokens" / f"{name}.token").write_text(made.stdout)
    for path in (folder, *folder.rglob("*")):  # the containers' user is none of this machine
        path.chmod(0o755 if path.is_dir() else 0o644)
    started = Swarm(folder)
    try:
        started.up()
        yield started
    finally:
        started.down()


def test_what_is_spoken_into_it_becomes_pairs_in_redis(swarm: Swarm, tmp_path: Path) -> None:
    recording = recorded(tmp_path, SENTENCES)
    done = run_verb(
        *("live", str(recording), "--gateway", f"localhost:{swarm.gateway_port}", "--speed", "0"),
        GLOSSA_CERTIFICATES_DIR=str(swarm.certificates_dir),
        GLOSSA_TOKEN_FILE=str(swarm.certificates_dir.parent / "tokens" / "pulpit.token"),
    )
    assert done.returncode == 0, done.stderr
    wait_for(lambda: swarm.pairs() > 0, "no pair came to Redis")


def test_no_call_fails_where_a_replica_is_killed_and_its_successor_takes_part(
    swarm: Swarm,
) -> None:
    first, second = swarm.tasks("mt")
    (gateway,) = swarm.tasks("gateway")
    load = subprocess.Popen(
        ["docker", "exec", "-i", str(gateway.id), "python", "-c", LOAD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for task in (first, second):
            wait_for(answers(task), "a replica is not asked")
        os.kill(task_pid(first), signal.SIGKILL)
        known = {first.id, second.id}
        wait_for(
            lambda: any(answers(task)() for task in swarm.tasks("mt") if task.id not in known),
            "the successor is not asked",
        )
        said, complained = load.communicate("", timeout=60)
    finally:
        load.kill()
        load.wait()
    assert load.returncode == 0, complained
    outcome = json.loads(said)
    assert outcome["failed"] == []
    assert outcome["answers"] > CALLERS


def answers(task: Container) -> Callable[[], bool]:
    """Whether a replica has answered more calls than callers could have begun with it by chance."""

    def has_answered() -> bool:
        status, page = task.exec_run(["python", "-c", ANSWERED])
        return bool(status == 0 and float(page) > CALLERS)

    return has_answered


def task_pid(task: Container) -> int:
    task.reload()
    pid = task.attrs["State"]["Pid"]
    assert isinstance(pid, int)
    return pid
