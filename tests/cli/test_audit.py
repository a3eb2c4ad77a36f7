"""`./glossa audit` against an advisory service on a real socket, as pip-audit asks OSV."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.processes import REPOSITORY

LOCK = "# the lock\nfine==1.0\nholed==2.0 ; python_version > '3'\n"
ADVISORY = {"id": "GHSA-test", "affected": [{"package": {"name": "holed", "ecosystem": "PyPI"}}]}


@dataclass
class Advisories:
    """What the service answers; `asked` is what it was asked about."""

    status: int = 200
    body: bytes | None = None
    holed: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def service() -> Iterator[Advisories]:
    advisories = Advisories()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            name = json.loads(self.rfile.read(length))["package"]["name"]
            advisories.asked.append(name)
            found = {"vulns": [ADVISORY]} if name in advisories.holed else {}
            body = json.dumps(found).encode() if advisories.body is None else advisories.body
            self.send_response(advisories.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    advisories.url = f"http://127.0.0.1:{server.server_port}/v1/query"
    yield advisories
    server.shutdown()
    server.server_close()


def audited(url: str, tmp_path: Path, lock: str = LOCK) -> tuple[int, str]:
    """The verb's status and what it says of a lock."""
    path = tmp_path / "lock.txt"
    path.write_text(lock)
    done = subprocess.run(
        [sys.executable, "-m", "cli", "audit", str(path)],
        cwd=REPOSITORY,
        env={
            **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
            "PIP_AUDIT_VULNERABILITY_SERVICE": "osv",
            "PIP_AUDIT_OSV_URL": url,
            "XDG_CACHE_HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout


def test_libraries_without_an_advisory_are_counted(service: Advisories, tmp_path: Path) -> None:
    assert audited(service.url, tmp_path) == (
        0,
        "lock.txt: asked about 2 libraries, 0 are vulnerable\n",
    )
    assert service.asked == ["fine", "fine", "holed"]


def test_a_vulnerable_library_is_named_with_its_advisory(
    service: Advisories, tmp_path: Path
) -> None:
    service.holed = ("holed",)
    status, said = audited(service.url, tmp_path)
    assert status == 1
    assert said.splitlines() == [
        "FIX  holed 2.0: GHSA-test",
        "lock.txt: asked about 2 libraries, 1 are vulnerable",
    ]


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (503, None, "HTTPError: 503 Server Error: Service Unavailable for url: http://127.0.0.1"),
        (200, b"<html>log in to the guests' network</html>", "JSONDecodeError: Expecting value"),
    ],
)
def test_an_answer_that_is_none_is_told_with_its_status(
    service: Advisories, tmp_path: Path, status: int, body: bytes | None, why: str
) -> None:
    service.status, service.body = status, body
    ended, said = audited(service.url, tmp_path)
    assert ended == 2
    assert said.startswith(f"lock.txt: could not ask about 2 of 2 libraries: {why}")
    assert service.asked == ["fine"]  # not each of them in vain


def test_a_service_that_nobody_answers_for_is_told(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # held, and nobody listens
        status, said = audited(f"http://127.0.0.1:{closed.getsockname()[1]}/", tmp_path)
    assert status == 2
    assert "could not ask about 2 of 2 libraries: ConnectionError: " in said
    assert "Connection refused" in said


def test_a_name_that_is_not_found_is_told(tmp_path: Path) -> None:
    status, said = audited("http://advisories.invalid/v1/query", tmp_path)
    assert status == 2
    assert "could not ask about 2 of 2 libraries: ConnectionError: " in said
    assert "advisories.invalid" in said
    assert "NameResolutionError" in said


def test_a_lock_without_libraries_is_no_answer(service: Advisories, tmp_path: Path) -> None:
    status, said = audited(service.url, tmp_path, "# nothing\n")
    assert (status, said) == (2, "lock.txt: could not ask about 0 of 0 libraries: it pins none\n")
