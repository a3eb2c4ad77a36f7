"""What was put where: a log that is only ever added to, <registry>/deployments.jsonl."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from services.errors import InvalidInput, WrongState
from training.rollout.hosts import Host

LOG = "deployments.jsonl"
# What leaves a model in use: put there, or put back there.
IN_USE = ("deployed", "restored")


@dataclass(frozen=True)
class Place:
    """Where one model is in use: a tier of a service, and the name that its profile calls it by."""

    host: str
    models_dir: str
    tier: str
    model: str

    @classmethod
    def of(cls, host: Host, tier: str, model: str) -> Place:
        return cls(host.name, host.models_dir, tier, model)


class DeploymentLog:
    """The log of a registry."""

    def __init__(self, registry: Path) -> None:
        self.path = registry / LOG

    def add(self, place: Place, outcome: str, **facts: Any) -> None:
        """Adds a line, on disk when this returns."""
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "by": f"{getpass.getuser()}@{socket.gethostname()}",
            **vars(place),
            "outcome": outcome,
            **facts,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._set_aside(self._lines()[1])
        with self.path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line, ensure_ascii=False) + "\n")
            log.flush()
            os.fsync(log.fileno())

    def entries(self) -> list[dict[str, Any]]:
        """All lines, the oldest first. Raises InvalidInput: LOG_DAMAGED."""
        lines, torn = self._lines()
        if torn:
            click.echo(
                f"{self.path}: the last line is cut off, by a deployment that was killed while it "
                "was written; it is left out, and what it was about is to be looked at",
                err=True,
            )
        try:
            return [json.loads(line) for line in lines if line]
        except ValueError as error:
            raise InvalidInput("LOG_DAMAGED", f"{self.path} cannot be read: {error}") from error

    def _lines(self) -> tuple[list[bytes], bytes]:
        """The whole lines, and what stands behind the last of them."""
        try:
            *lines, torn = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return [], b""
        return lines, torn

    def _set_aside(self, torn: bytes) -> None:
        """Moves half a line out of the way of the next one, to deployments.torn beside."""
        if not torn:
            return
        with self.path.with_suffix(".torn").open("ab") as aside:
            aside.write(torn + b"\n")
            aside.flush()
            os.fsync(aside.fileno())
        os.truncate(self.path, self.path.stat().st_size - len(torn))

    def in_use(self) -> dict[Place, dict[str, Any]]:
        """The line that each place's model came with."""
        return {
            Place(entry["host"], entry["models_dir"], entry["tier"], entry["model"]): entry
            for entry in self.entries()
            if entry["outcome"] in IN_USE
        }

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One deployment at a time. Raises WrongState: DEPLOYMENT_UNDER_WAY."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(".deploying.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise WrongState(
                    "DEPLOYMENT_UNDER_WAY", "another deployment from this registry is under way"
                ) from error
            yield
