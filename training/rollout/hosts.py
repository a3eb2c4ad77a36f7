"""Machines that run Glossa, and how a model's files and a call get there.

A list of hosts is a TOML file:

    [[host]]
    name = "booth"
    models_dir = "/srv/glossa/var/models"
    address = "127.0.0.1:7304"      # of the service, as seen from that machine
    ssh = "glossa@booth.local"      # left out: this machine
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import socket
import subprocess
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.errors import InvalidInput, Unavailable
from training.rollout import host_files

LOCAL = "local"
_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10")
_VERB_TIMEOUT_S = 1800.0  # to read a large model from a slow disk
_COPY_TIMEOUT_S = 6 * 3600.0
_TUNNEL_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Host:
    """One machine.

    Args:
        address: host:port of the service, as seen from that machine.
        ssh: what ssh is told; empty for this machine.

    Raises:
        InvalidInput: BAD_HOST.
    """

    name: str
    models_dir: str
    address: str
    ssh: str = ""

    def __post_init__(self) -> None:
        if not all(isinstance(value, str) for value in vars(self).values()):
            raise InvalidInput("BAD_HOST", f"everything that a host has is a text: {vars(self)}")
        if self.ssh.startswith("-"):
            raise InvalidInput("BAD_HOST", f"{self.ssh!r} is an option of ssh and no machine")

    def call(self, verb: str, *arguments: Any) -> Any:
        """Runs a function of training.rollout.host_files there. Raises Unavailable: HOST_FAILED."""
        try:
            if not self.ssh:
                return host_files.VERBS[verb](self.models_dir, *arguments)
            words = [json.dumps(argument) for argument in (self.models_dir, *arguments)]
            done = self._run(
                [*_SSH, self.ssh, shlex.join(["python3", "-", verb, *words])],
                _VERB_TIMEOUT_S,
                Path(host_files.__file__).read_text(encoding="utf-8"),
            )
            return json.loads(done)
        except (OSError, ValueError) as error:
            raise self._failed(f"{verb}: {error}") from error

    def copy(self, source: Path, folder: str) -> None:
        """Brings the files of `source` to `folder`'s place for what is unfinished.

        Raises:
            Unavailable: HOST_FAILED.
        """
        place = self.call("prepare", folder)
        if self.ssh:
            command = ["rsync", "--recursive", "--times", "--partial", "--delete", "--chmod=u+w"]
            # No shell over there splits the path; what is quoted is a name to newer versions.
            command += ["--protect-args", "-e", shlex.join(_SSH)]
            self._run([*command, f"{source}/", f"{self.ssh}:{place}/"], _COPY_TIMEOUT_S)
            return
        try:
            shutil.rmtree(place)
            shutil.copytree(source, place, copy_function=shutil.copyfile)
        except OSError as error:
            raise self._failed(f"copying: {error}") from error

    @contextlib.contextmanager
    def reached(self) -> Iterator[str]:
        """The service's address from here; through an ssh tunnel where it is another machine.

        Services listen to their own machine alone and are called without a token there.
        """
        if not self.ssh:
            yield self.address
            return
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        forward = f"127.0.0.1:{port}:{self.address}"
        with subprocess.Popen(
            [*_SSH, "-o", "ExitOnForwardFailure=yes", "-N", "-L", forward, self.ssh],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as tunnel:
            try:
                self._wait_for(tunnel, port)
                yield f"127.0.0.1:{port}"
            finally:
                tunnel.terminate()

    def _wait_for(self, tunnel: subprocess.Popen[str], port: int) -> None:
        until = time.monotonic() + _TUNNEL_TIMEOUT_S
        while time.monotonic() < until and tunnel.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.05)
        said = tunnel.stderr.read() if tunnel.poll() is not None and tunnel.stderr else ""
        raise self._failed(f"no tunnel: {said.strip() or 'it did not open in time'}")

    def _run(self, command: list[str], timeout_s: float, given: str = "") -> str:
        try:
            done = subprocess.run(
                command, input=given, capture_output=True, text=True, timeout=timeout_s, check=True
            )
        except FileNotFoundError as error:
            raise self._failed(f"there is no {command[0]} on this machine; install it") from error
        except subprocess.CalledProcessError as error:
            raise self._failed(f"{command[0]}: {error.stderr.strip()[-600:]}") from error
        except subprocess.TimeoutExpired as error:
            raise self._failed(f"{command[0]} took longer than {timeout_s:.0f} s") from error
        return done.stdout

    def _failed(self, what: str) -> Unavailable:
        return Unavailable("HOST_FAILED", f"host {self.name}, {what}", host=self.name)


def host_of(text: str) -> Host:
    """The host that "TARGET:MODELS_DIR@ADDRESS" names; TARGET is "local" or what ssh is told.

    Raises:
        InvalidInput: BAD_HOST.
    """
    place, _, address = text.rpartition("@")
    target, _, models_dir = place.partition(":")
    if not (target and models_dir and address.rpartition(":")[2].isdigit()):
        raise InvalidInput(
            "BAD_HOST",
            f"{text!r} is not TARGET:MODELS_DIR@ADDRESS, as in local:var/models@127.0.0.1:7304 or "
            "glossa@booth.local:/srv/glossa/var/models@127.0.0.1:7304",
        )
    return Host(target, models_dir, address, "" if target == LOCAL else target)


def read_hosts(path: Path) -> tuple[Host, ...]:
    """The hosts of a TOML file. Raises InvalidInput: BAD_HOST."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["host"]
        hosts = tuple(Host(**entry) for entry in entries)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidInput(
            "BAD_HOST",
            f"{path} is no list of hosts ({error}); each is a [[host]] with name, models_dir, "
            "address and, for another machine, ssh",
        ) from error
    if len({host.name for host in hosts}) < len(hosts):
        raise InvalidInput("BAD_HOST", f"two hosts of {path} have one name")
    return hosts
