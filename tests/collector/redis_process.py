"""A real redis-server for tests, on a free port, ended by its id."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import redis

START = Path(__file__).parents[2] / "redis-server" / "start"
USERS = ("collector", "trainer", "operator")
_READY_TIMEOUT_S = 20.0


class RedisProcess:
    """As the stack runs it, unless `options` change that. Its data outlives `kill`.

    `url` is what the collector is let in with; `client` may do everything.
    """

    def __init__(self, port: int, folder: Path, *options: str) -> None:
        self.url = self.url_of("collector", port)
        self.port = port
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis.from_url(
            self.url_of("operator", port), decode_responses=True, socket_timeout=10
        )

    @staticmethod
    def url_of(user: str, port: int) -> str:
        return f"redis://{user}:{quote(_password(user), safe='')}@127.0.0.1:{port}/0"

    def start(self) -> None:
        """Starts it and waits until it has read its data."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for user in USERS:
            (self._folder / f"{user}.password").write_text(_password(user))
        with (self._folder / "redis.log").open("ab") as log_file:
            self._process = subprocess.Popen(
                [
                    *(START, self._folder, "--port", str(self.port), "--bind", "127.0.0.1"),
                    *self._options,
                ],
                stdout=log_file,
                stderr=log_file,
            )
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while True:
            try:
                self.client.ping()
            except redis.RedisError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self._folder / "redis.log").read_text()) from error
                time.sleep(0.02)
            else:
                return

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """kill -9, frozen or not."""
        self.client.close()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._process = None


def _password(user: str) -> str:
    return f"known & {user}/password"  # what a shell or sed would take for something else
