"""The stack in containers: its health, its users of Redis, a session from end to end."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
import urllib.request
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from services.audio import SAMPLE_RATE_HERTZ
from services.collector.bands import BANDS
from tests.cli.verb import run_verb
from tests.contract.docker_compose import ComposedStack, engine_is_there
from tests.speech import spoken, with_pauses

pytestmark = [
    pytest.mark.compose,
    pytest.mark.skipif(not engine_is_there(), reason="no Docker engine answers here"),
    pytest.mark.timeout(900),
]

SENTENCES = ("The Lord is good to all.", "We believe in one God.", "Let us pray together.")
REPORTS = "/var/lib/glossa/reports"
PASSWORDS = ("/run/glossa/collector/password", "/run/glossa/trainer/password")
SETTLE_TIMEOUT_S = 90.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposedStack]:
    stack = ComposedStack(tmp_path_factory.mktemp("compose"))
    try:
        stack.up()
        yield stack
    finally:
        stack.down("-v", "--rmi", "local")


@pytest.fixture(scope="module")
def session(stack: ComposedStack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A session that was spoken into the stack, with its audio kept, and is over."""
    recording = tmp_path_factory.mktemp("speech") / "sermon.wav"
    with wave.open(str(recording), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(SAMPLE_RATE_HERTZ)
        audio.writeframes(with_pauses(*map(spoken, SENTENCES)).tobytes())
    address = stack.address("gateway")
    done = run_verb("live", str(recording), "--speed", "0", "--store-audio", "--gateway", address)
    over = re.search(r"session (\S+) is over", done.stdout + done.stderr)
    assert over, done.stdout + done.stderr
    return over[1]


def test_it_comes_up_healthy_and_serves_its_pages(stack: ComposedStack) -> None:
    for service in ("captions", "collector"):
        status, page = _fetch(stack, service, "/")
        assert status == 200
        assert b"<!doctype html>" in page
    status, progress = _fetch(stack, "collector", "/api/review/progress")
    assert status == 200
    assert "progress" in json.loads(progress)
    assert stack.said("gateway", "id", "-un").strip() == "glossa"


def test_what_dies_is_started_again(stack: ComposedStack) -> None:
    first_pid = stack.inspect("mt", "{{.State.Pid}}")
    subprocess.run(["kill", "-9", first_pid], check=True)

    def is_back() -> bool:
        pid, health = stack.inspect("mt", "{{.State.Pid}} {{.State.Health.Status}}").split()
        return pid not in ("0", first_pid) and health == "healthy"

    _wait_for(is_back, "mt is not back")


def test_redis_lets_nobody_in_without_a_user_of_its_own(stack: ComposedStack) -> None:
    for user, password in ((None, None), ("default", "any"), ("collector", "any"), (None, "any")):
        with (
            contextlib.closing(stack.redis(user, password)) as connection,
            pytest.raises(redis.AuthenticationError),
        ):
            connection.ping()
    with contextlib.closing(stack.redis("health", "any")) as health:
        assert health.ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            health.dbsize()


def test_the_collector_reads_its_password_alone_and_writes_its_keys_alone(
    stack: ComposedStack,
) -> None:
    password = stack.said("collector", "cat", PASSWORDS[0])
    assert password != stack.said("redis", "cat", PASSWORDS[1])
    refused = stack.compose("exec", "-T", "collector", "sh", "-c", f"echo x >{PASSWORDS[0]}")
    assert refused.returncode != 0
    assert stack.compose("exec", "-T", "collector", "ls", PASSWORDS[1]).returncode != 0
    with contextlib.closing(stack.redis("collector", password)) as connection:
        assert connection.set("glossa:test", "x")
        assert connection.delete("glossa:test") == 1
        for refuse in (lambda: connection.set("other", "x"), connection.flushall):
            with pytest.raises(redis.exceptions.NoPermissionError):
                refuse()


def test_a_trainer_beside_it_reads_pairs_and_writes_nothing(
    stack: ComposedStack, session: str
) -> None:
    report = _report(stack, session)
    taken = stack.as_trainer(
        "trainer xgroup create glossa:pairs:moderate test 0 mkstream >&2\n"
        "trainer xlen glossa:pairs:moderate"
    )
    assert taken.stdout == f"{_by_band(report)['moderate']}\n", taken.stderr
    for refused in (
        "trainer xadd glossa:pairs:moderate '*' text x",
        "trainer xtrim glossa:pairs:moderate maxlen 0",
        "trainer xlen glossa:pairs:reject",
        "trainer get glossa:pairs:counts",
    ):
        answer = stack.as_trainer(refused)
        assert answer.returncode != 0
        assert "NOPERM" in answer.stdout + answer.stderr
    assert stack.as_trainer("echo x >/run/glossa/trainer/password").returncode != 0
    assert stack.as_trainer("cat /run/glossa/trainer/password").stdout == stack.said(
        "redis", "cat", PASSWORDS[1]
    )


def test_a_session_ends_with_its_report_and_its_pairs_in_redis(
    stack: ComposedStack, session: str, tmp_path: Path
) -> None:
    report = _report(stack, session)
    assert report["segments"]["finals"] == len(SENTENCES)
    entries = _entries(stack, session)
    assert {band: len(found) for band, found in entries.items()} == _by_band(report)
    assert sum(map(len, entries.values())) > 0

    copied = stack.compose("cp", f"collector:{REPORTS}/{session}", str(tmp_path / "copied"))
    assert copied.returncode == 0, copied.stderr
    assert "<svg" in (tmp_path / "copied" / "report.html").read_text()
    asked = run_verb(
        *("report", session, "--out", str(tmp_path / "asked")),
        *("--collector", stack.address("collector")),
    )
    assert asked.returncode == 0, asked.stderr
    assert json.loads((tmp_path / "asked" / "report.json").read_text())["pairs"] == report["pairs"]


def test_its_passwords_pairs_reports_and_audio_outlive_its_containers(
    stack: ComposedStack, session: str
) -> None:
    def kept() -> tuple[object, ...]:
        return (
            [stack.said("redis", "cat", path) for path in PASSWORDS],
            _entries(stack, session),
            _report(stack, session),
            stack.said("gateway", "sh", "-c", "cd /var/lib/glossa/gateway/audio && ls -l *"),
        )

    before = kept()
    stack.down()
    stack.up()
    assert kept() == before


@pytest.mark.parametrize("token", ["", "too-short"])
def test_the_review_page_is_not_opened_to_others_without_a_token(
    stack: ComposedStack, token: str
) -> None:
    refused = stack.compose(
        *("run", "--rm", "--no-deps", "-T", "collector"),
        *("timeout", "30", "python", "-m", "services.collector"),
        GLOSSA_REVIEW_PUBLISH_HOST="0.0.0.0",
        GLOSSA_COLLECTOR_REVIEW_TOKEN=token,
    )
    assert refused.returncode == 2
    assert "openssl rand -hex 16" in refused.stdout + refused.stderr


def _report(stack: ComposedStack, session: str) -> dict[str, Any]:
    """The report that the collector wrote, once every pair in it has its score."""
    found: dict[str, Any] = {}

    def is_whole() -> bool:
        read = stack.compose("exec", "-T", "collector", "cat", f"{REPORTS}/{session}/report.json")
        if read.returncode == 0:
            found.update(json.loads(read.stdout))
        return bool(found) and not found["pairs"]["owed_scores"]

    _wait_for(is_whole, "there is no whole report")
    return found


def _by_band(report: dict[str, Any]) -> dict[str, int]:
    bands: dict[str, int] = report["pairs"]["by_language"]["es"]["bands"]
    return {band: bands[band] for band in BANDS}


def _entries(stack: ComposedStack, session: str) -> dict[str, list[dict[str, str]]]:
    """What each band's stream holds of a session."""
    password = stack.said("redis", "cat", "/data/operator.password")
    with contextlib.closing(stack.redis("operator", password)) as connection:
        return {
            band: [
                fields
                for _, fields in connection.xrange(f"glossa:pairs:{band}")
                if fields["session_id"] == session
            ]
            for band in BANDS
        }


def _fetch(stack: ComposedStack, service: str, path: str) -> tuple[int, bytes]:
    address = stack.address(service, f"{service}_web")
    with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
        return answer.status, answer.read()


def _wait_for(is_so: Callable[[], bool], otherwise: str) -> None:
    gives_up_at = time.monotonic() + SETTLE_TIMEOUT_S
    while not is_so():
        assert time.monotonic() < gives_up_at, otherwise
        time.sleep(0.5)
