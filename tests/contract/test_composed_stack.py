"""The stack in containers: its health, its users of Redis, a session from end to end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
import redis

from tests.captions.browsers import RefusedError, displayed
from tests.captions.callers import Caller
from tests.cli.verb import run_verb
from tests.contract.composed_session import (
    PASSWORDS,
    REPORTS,
    SENTENCES,
    pairs_by_band,
    queued_pairs,
    speak,
    wait_for,
    whole_report,
)
from tests.contract.docker_compose import ComposedStack, on_engine

pytestmark = on_engine()

CORRECTION = "Creemos en un solo Dios."
TOKEN = "an-operators-token-of-this-test"


def test_it_comes_up_healthy_and_serves_its_pages(stack: ComposedStack) -> None:
    for service in ("captions", "collector"):
        status, page = stack.fetch(service, "/")
        assert status == 200
        assert b"<!doctype html>" in page
    status, progress = stack.fetch("collector", "/api/review/progress")
    assert status == 200
    assert "progress" in json.loads(progress)


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
    report = whole_report(stack, session)
    taken = stack.as_trainer(
        "trainer xgroup create glossa:pairs:moderate test 0 mkstream >&2\n"
        "trainer xlen glossa:pairs:moderate"
    )
    assert taken.stdout == f"{pairs_by_band(report)['moderate']}\n", taken.stderr
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
    report = whole_report(stack, session)
    assert report["segments"]["finals"] == len(SENTENCES)
    entries = queued_pairs(stack, session)
    assert {band: len(found) for band, found in entries.items()} == pairs_by_band(report)
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


def test_the_gateway_is_not_opened_to_others_without_tokens(stack: ComposedStack) -> None:
    refused = stack.compose(
        *("run", "--rm", "--no-deps", "-T", "gateway"),
        *("timeout", "30", "python", "-m", "services.gateway"),
        GLOSSA_PUBLISH_HOST="0.0.0.0",
    )
    assert refused.returncode == 2
    assert "docker-compose.tokens.yml" in refused.stdout + refused.stderr


async def test_the_published_port_serves_phones_from_a_container_that_nobody_can_write_to(
    stack: ComposedStack,
) -> None:
    phone = Caller(stack)
    for path in ("/", "/phone/phone.js", "/join.svg"):
        assert await phone.status("GET", path) == 200
    refused = stack.compose("exec", "-T", "captions", "touch", "/app/x", "/certificates/x")
    assert refused.stderr.count("Read-only file system") == 2
    assert "uvloop" in stack.said("captions", "cat", "/proc/1/maps")
    limits = stack.said("captions", "cat", "/proc/1/limits")
    assert re.search(r"Max open files +16384 +16384 ", limits), limits


async def test_a_viewer_reads_what_is_said_and_what_operators_make_of_it(
    stack: ComposedStack, tmp_path: Path
) -> None:
    operator = Caller(stack)
    async with displayed(stack, "websocket", languages=["en", "es"]) as display:
        await display.until_caught_up()
        session = await asyncio.to_thread(speak, stack, tmp_path, SENTENCES[:2])
        events = await display.until(
            lambda event: event.session_id == session and event.HasField("session_ended")
        )
        finals = {
            (event.caption.segment_id, event.caption.language)
            for event in events
            if event.session_id == session and event.caption.is_final
        }
        assert finals == {(1, "en"), (1, "es"), (2, "en"), (2, "es")}

        status, answer, _ = await operator.ask("GET", "/operator/status")
        assert status == 200
        assert {each["name"] for each in answer["engines"]} == {"stt", "mt", "qe"}
        assert answer["viewers"] == {"websocket": 1}
        line = {"session_id": session, "segment_id": 1, "is_hidden": True}
        assert await operator.status("POST", "/operator/hide", json=line) == 200
        (*_, hidden) = await display.until(lambda event: event.HasField("segment_hidden"))
        assert (hidden.segment_hidden.segment_id, hidden.segment_hidden.is_hidden) == (1, True)
        line = {"session_id": session, "segment_id": 2, "language": "es", "text": CORRECTION}
        assert await operator.status("POST", "/operator/correct", json=line) == 200
        (*_, corrected) = await display.until(lambda event: event.caption.is_corrected)
        assert corrected.caption.stable_text == CORRECTION
        assert (corrected.session_id, corrected.caption.segment_id) == (session, 2)


async def test_a_viewer_goes_on_where_it_was_after_captions_was_restarted(
    stack: ComposedStack, session: str
) -> None:
    async with displayed(stack, "websocket", session_id=session) as display:
        await display.until_caught_up()
        restart = asyncio.to_thread(stack.compose, "restart", "captions")
        async with asyncio.TaskGroup() as tasks:
            restarted = tasks.create_task(restart)
            with pytest.raises(RefusedError, match="SHUTTING_DOWN"):
                await display.until(lambda event: False)
    assert restarted.result().returncode == 0
    await asyncio.to_thread(wait_for, stack.captions_are_ready, "captions is not back")
    at = len(display.sequences) // 2
    resumed = {"session_id": session, "after_sequence": display.sequences[at - 1]}
    async with displayed(stack, "websocket", **resumed) as again:
        await again.until_caught_up()
    assert again.sequences == display.sequences[at:] != []


@pytest.fixture
def captions_with(stack: ComposedStack) -> Iterator[Callable[..., None]]:
    """Makes the container of captions anew, with these overlays and variables."""

    def make(*overlays: str, **variables: str) -> None:
        chosen = (part for overlay in overlays for part in ("-f", overlay))
        done = stack.compose(*chosen, "up", "-d", "--no-deps", "captions", **variables)
        assert done.returncode == 0, done.stderr
        wait_for(stack.captions_are_ready, "captions does not start")

    yield make
    make()


async def test_nobody_operates_open_pages_that_have_no_token(
    stack: ComposedStack, captions_with: Callable[..., None]
) -> None:
    captions_with(GLOSSA_PUBLISH_HOST="0.0.0.0")
    anybody = Caller(stack)
    assert await anybody.status("GET", "/sessions") == 200
    for method, name, body in (("GET", "status", None), ("POST", "screens", {})):
        status, answer, _ = await anybody.ask(method, f"/operator/{name}", json=body)
        assert (status, answer["error"]["reason"]) == (403, "NO_TOKEN_SET")
        assert "GLOSSA_TOKENS_FILE" in answer["error"]["message"]


async def test_with_tokens_and_a_certificate_open_pages_are_operated_over_https(
    stack: ComposedStack, captions_with: Callable[..., None], certificate: Path
) -> None:
    public_url = "https://captions.example.org:7310/"
    captions_with(
        GLOSSA_PAGES_PUBLISH_HOST="0.0.0.0",
        GLOSSA_CAPTIONS_OPERATOR_TOKEN=TOKEN,
        GLOSSA_CAPTIONS_PUBLIC_URL=public_url,
        GLOSSA_WEB_CERTIFICATE_DIR=_readable_for_all(certificate),
        GLOSSA_CAPTIONS_WEB_CERTIFICATE_FILE="/web-certificate/cert.pem",
        GLOSSA_CAPTIONS_WEB_KEY_FILE="/web-certificate/key.pem",
    )
    caller = Caller(stack)
    caller.url = stack.web.replace("http://", "https://")
    _, joined, _ = await caller.ask("GET", "/join")
    assert joined == {"url": public_url}
    assert await caller.status("GET", "/operator/status") == 401
    operator = {"Authorization": f"Bearer {TOKEN}"}
    assert await caller.status("GET", "/operator/status", headers=operator) == 200
    with pytest.raises(aiohttp.ClientError):
        await Caller(stack).status("GET", "/")


async def test_a_token_that_is_a_secret_of_docker_is_asked_for_and_stands_in_no_environment(
    stack: ComposedStack, captions_with: Callable[..., None], tmp_path: Path
) -> None:
    captions_with("docker-compose.secrets.yml", GLOSSA_SECRETS_DIR=_secrets(tmp_path))
    caller = Caller(stack)
    assert await caller.status("GET", "/operator/status") == 401
    operator = {"Authorization": f"Bearer {TOKEN}-operator"}
    assert await caller.status("GET", "/operator/status", headers=operator) == 200
    assert not [
        line for line in stack.container("captions").attrs["Config"]["Env"] if TOKEN in line
    ]


def _secrets(folder: Path) -> str:
    """The folder, with a token for each role that the container's user may read."""
    folder.chmod(0o755)
    for role in ("operator", "ingest", "review"):
        (folder / role).write_text(f"{TOKEN}-{role}\n")
        (folder / role).chmod(0o644)
    return str(folder)


def _readable_for_all(certificate: Path) -> str:
    """The folder, once the container's user may read its key."""
    certificate.chmod(0o755)
    (certificate / "key.pem").chmod(0o644)
    return str(certificate)
