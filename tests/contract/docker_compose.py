"""Docker compose as tests use it: its configuration, and whole stacks of their own."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import docker
import pytest
import redis
from docker.models.containers import Container
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.settings import PORT_BASE, SERVICES, port
from tests.processes import REPOSITORY, free_port_base

BASE = ("docker-compose.yml",)
WITH_CUDA = (*BASE, "docker-compose.cuda.yml")
WITH_TOKENS = (*BASE, "docker-compose.tokens.yml")
WITH_SECRETS = (*BASE, "docker-compose.secrets.yml")

Files = tuple[str | Path, ...]
Done = subprocess.CompletedProcess[str]


def is_there() -> bool:
    if shutil.which("docker") is None:
        return False
    return _docker("compose", "version").returncode == 0


@functools.cache
def engine_is_there() -> bool:
    return is_there() and _docker("info").returncode == 0


def on_engine() -> list[pytest.MarkDecorator]:
    """The marks of a file of tests that start containers."""
    return [
        pytest.mark.compose,
        pytest.mark.skipif(not engine_is_there(), reason="no Docker engine answers here"),
        pytest.mark.timeout(900),
    ]


def compose(
    *arguments: str | Path, files: Files = BASE, folder: Path = REPOSITORY, **variables: str
) -> Done:
    """`docker compose` as in `folder`; without `files` it chooses them by itself."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GLOSSA_")}
    return subprocess.run(
        ["docker", "compose", *(part for file in files for part in ("-f", file)), *arguments],
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def configuration(
    *options: str, files: Files = BASE, folder: Path = REPOSITORY, **variables: str
) -> dict[str, Any]:
    """The services, by name; `options` are compose's own, before its verb."""
    asked = (*options, "config", "--format", "json")
    done = compose(*asked, files=files, folder=folder, **variables)
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


def build(target: str | None = None, **arguments: str) -> str:
    """The id of the image that the Dockerfile makes of build arguments, or of one of its stages."""
    done = _docker(
        *("build", "-q"),
        *(("--target", target) if target else ()),
        *(part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")),
        ".",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def run(*arguments: str) -> Done:
    """`docker run` of a container that is gone afterwards."""
    return _docker("run", "--rm", *arguments)


class ComposedStack:
    """A stack of its own: other volumes, image names and addresses than those of a real one.

    What its files publish is published on ports of its own, which begin at `port_base`; containers
    are reached at their own addresses, too.

    Args:
        files: of the repository; those that come later change what the first say.
        images_of: the stack whose images are taken, and stay when this one goes; None: its own.
        variables: what its compose files are given in every call.
    """

    def __init__(
        self,
        folder: Path,
        *,
        files: Files = BASE,
        images_of: ComposedStack | None = None,
        **variables: str,
    ) -> None:
        self.project = f"glossa-test-{secrets.token_hex(4)}"
        self._variables = variables
        override = folder / "override.yml"
        self.port_base = free_port_base()
        self.captions = f"127.0.0.1:{port('captions', self.port_base)}"
        self.web = f"http://127.0.0.1:{port('captions_web', self.port_base)}"
        services = configuration(files=files, **variables)
        own = "".join(
            f"  {name}: {{image: {images_of.image(name) if images_of else '!reset null'}, "
            f"ports: !override {self._own_ports(services.get(name, {}))}}}\n"
            for name in sorted({*SERVICES, "redis", "client"})
        )
        override.write_text(f"name: {self.project}\nservices:\n{own}")
        self._files: Files = (*files, override)

    def _own_ports(self, service: dict[str, Any]) -> list[str]:
        """The ports that a service publishes, moved to those of this stack."""
        return [
            f"127.0.0.1:{self.port_base + each['target'] - PORT_BASE}:{each['target']}"
            for each in service.get("ports", ())
        ]

    def image(self, service: str) -> str:
        """What compose calls the image that it builds for a service."""
        return f"{self.project}-{service}"

    def up(self, build: str = "--no-build") -> None:
        done = self.compose("up", build, "-d", "--wait", "--wait-timeout", "180")
        assert done.returncode == 0, done.stderr[-3000:] + self.compose("logs").stdout[-6000:]

    def down(self, *options: str) -> None:
        done = self.compose("--profile", "*", "down", "--timeout", "15", *options)
        assert done.returncode == 0, done.stderr

    def compose(self, *arguments: str, **variables: str) -> Done:
        return compose(*arguments, files=self._files, **{**self._variables, **variables})

    def said(self, service: str, *command: str) -> str:
        """What a command in a service's container writes to stdout; it must end well."""
        done = self.compose("exec", "-T", service, *command)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def container(self, service: str) -> Container:
        """The container of a service, as the engine knows it now."""
        labels = [f"com.docker.compose.project={self.project}", "com.docker.compose.oneoff=False"]
        wanted = {"label": [*labels, f"com.docker.compose.service={service}"]}
        with contextlib.closing(docker.from_env()) as engine:
            (found,) = engine.containers.list(all=True, filters=wanted)
        return found

    def host(self, service: str) -> str:
        """The address of a service's container."""
        (network,) = self.container(service).attrs["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    def address(self, service: str, port_name: str = "") -> str:
        """host:port of a service's gRPC, or of another of its ports."""
        return f"{self.host(service)}:{port(port_name or service)}"

    def fetch(self, service: str, path: str) -> tuple[int, bytes]:
        """Status and body of what a service's pages answer. Raises OSError."""
        address = self.address(service, f"{service}_web")
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.status, answer.read()

    def captions_are_ready(self) -> bool:
        address = self.address("captions", "captions_http")
        try:
            with urllib.request.urlopen(f"http://{address}/readyz", timeout=2):
                return True
        except OSError:
            return False

    def redis(self, user: str | None, password: str | None) -> redis.Redis:
        """A connection to Redis, as a container beside it has one; to be closed."""
        return redis.Redis(
            host=self.host("redis"),
            username=user,
            password=password,
            decode_responses=True,
            socket_timeout=10,
            retry=Retry(NoBackoff(), 0),  # who is refused is refused at once
        )

    def as_trainer(self, script: str) -> Done:
        """A shell script in a container that has the trainer's password, and nothing else.

        In it `trainer COMMAND` asks Redis.
        """
        begin = (
            'export REDISCLI_AUTH="$(cat /run/glossa/trainer/password)"\n'
            'trainer() { redis-cli -e -h redis --user trainer "$@"; }\n'
        )
        return run(
            *("--network", f"{self.project}_default", "--user", "10001:10001"),
            *("-v", f"{self.project}_redis-trainer:/run/glossa/trainer:ro"),
            *("redis:7-bookworm", "sh", "-c", begin + script),
        )


def _docker(*arguments: str) -> Done:
    return subprocess.run(
        ["docker", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
