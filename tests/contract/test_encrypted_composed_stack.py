"""The stack in containers with certificates and tokens, and Prometheus beside it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from services.certificates import CLIENT, client_context, key_file
from services.settings import SERVICES
from tests.captions.displays import subscribed
from tests.cli.verb import run_verb
from tests.contract.composed_session import (
    SENTENCES,
    pairs_by_band,
    queued_pairs,
    speak,
    wait_for,
    whole_report,
)
from tests.contract.docker_compose import WITH_TOKENS, ComposedStack, on_engine

pytestmark = on_engine()

CONTAINERS_USER = 10001
# Debian's Prometheus in an image that is there: what the stack asks for is not to be built here.
PROMETHEUS = """\
services:
  prometheus:
    image: redis:7-bookworm
    entrypoint: [/usr/local/bin/prometheus]
    volumes: ["{binary}:/usr/local/bin/prometheus:ro"]
    ports: !reset []
    healthcheck: {{disable: true}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates and tokens as their verbs make them, given to the containers' user alone."""
    folder = tmp_path_factory.mktemp("encrypted")
    made = run_verb("certs", "--dir", str(folder / "certificates"))
    assert made.returncode == 0, made.stderr
    for role in ("service", "ingest", "view"):
        _make_token(folder / "tokens", role)
    (folder / "tokens" / "service.token").rename(folder / "tokens" / "services.token")
    tokens = folder / "tokens"
    keys = [key_file(folder / "certificates", name) for name in (*SERVICES, CLIENT)]
    for path in (*keys, tokens, *tokens.iterdir()):
        os.chown(path, CONTAINERS_USER, -1)
    return folder


def _make_token(tokens: Path, role: str) -> None:
    book = str(tokens / "tokens.toml")
    made = run_verb("tokens", "make", role, "--name", role, GLOSSA_TOKENS_FILE=book)
    assert made.returncode == 0, made.stderr
    (tokens / f"{role}.token").write_text(made.stdout)


@pytest.fixture(scope="module")
def encrypted(stack: ComposedStack, folder: Path) -> Iterator[ComposedStack]:
    binary = shutil.which("prometheus")
    (folder / "prometheus.yml").write_text(PROMETHEUS.format(binary=binary))
    encrypted = ComposedStack(
        folder,
        files=(*WITH_TOKENS, folder / "prometheus.yml"),
        images_of=stack,
        GLOSSA_CERTIFICATES_DIR=str(folder / "certificates"),
        GLOSSA_TOKENS_DIR=str(folder / "tokens"),
        GLOSSA_TOKEN=(folder / "tokens" / "ingest.token").read_text().strip(),
    )
    try:
        encrypted.up()
        yield encrypted
    finally:
        encrypted.down("-v")


async def test_what_is_said_reaches_viewers_and_redis_from_end_to_end(
    encrypted: ComposedStack, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOSSA_CERTIFICATES_DIR", str(folder / "certificates"))
    token = (folder / "tokens" / "view.token").read_text().strip()
    bearer = {"authorization": f"Bearer {token}"}
    web = encrypted.web.replace("http://", "https://")
    believes = aiohttp.TCPConnector(ssl=client_context(folder / "certificates"))
    async with (
        subscribed(encrypted.captions, metadata=tuple(bearer.items())) as display,
        aiohttp.ClientSession(connector=believes) as browser,
    ):
        await display.until_caught_up()
        session = await asyncio.to_thread(speak, encrypted, tmp_path, SENTENCES)
        events = await display.until(
            lambda event: event.session_id == session and event.HasField("session_ended")
        )
        finals = [event.caption for event in events if event.caption.is_final]
        assert {(each.segment_id, each.language) for each in finals} == {
            (number, language) for number in (1, 2, 3) for language in ("en", "es")
        }
        async with browser.get(f"{web}/") as page:
            assert page.status == 200
        async with browser.get(f"{web}/sessions") as refused:
            assert refused.status == 401
        async with browser.ws_connect(
            f"{web}/ws", params={"session": session}, headers=bearer
        ) as ws:
            while "caption" not in (shown := await ws.receive_json(timeout=10)):
                pass
        assert shown["session_id"] == session
    report = await asyncio.to_thread(whole_report, encrypted, session)
    queued = queued_pairs(encrypted, session)
    assert {band: len(found) for band, found in queued.items()} == pairs_by_band(report)
    assert sum(map(len, queued.values())) > 0


def test_prometheus_reads_every_container_over_tls(encrypted: ComposedStack) -> None:
    done = encrypted.compose("up", "-d", "--no-deps", "prometheus")
    assert done.returncode == 0, done.stderr
    query = urllib.parse.urlencode({"query": 'up{job="glossa"} == 1'})
    asked = f"http://{encrypted.host('prometheus')}:9090/api/v1/query?{query}"

    def sees_all() -> bool:
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                found = json.load(answer)["data"]["result"]
        except OSError:  # it is starting
            return False
        return sorted(each["metric"]["service"] for each in found) == sorted(SERVICES)

    wait_for(sees_all, "Prometheus does not see all services")
