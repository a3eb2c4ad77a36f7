"""A real redis-server for tests, on a free port, ended by its id."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import redis

_READY_TIMEOUT_S = 20.0


class RedisProcess:
    """Append-only by default, as the stack runs it. Its data outlives `kill`."""

    def __init__(self, port: int, folder: Path, *options: str) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        self.port = port
        self._folder = folder
        self._options = options or ("--appendonly", "yes", "--maxmemory-policy", "noeviction")
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(
            port=port, decode_responses=True, socket_timeout=10, single_connection_client=False
        )

    def start(self) -> None:
        """Starts it and waits until it has read its data."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "redis.log").open("ab") as log_file:
            self._process = subprocess.Popen(
                [
                    "redis-server",
                    *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder),
                    *("--save", "", *self._options),
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
