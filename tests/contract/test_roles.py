"""Who may do what: every RPC and every route, asked by everybody."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import aiohttp.web
import grpc
import pytest
from aiohttp.test_utils import TestServer

from services.access import RULES
from services.captions.relay import Relay
from services.captions.settings import CaptionsSettings
from services.captions.web.site import WebSite
from services.channels import open_channel
from services.collector.review import Reviews
from services.collector.settings import CollectorSettings
from services.collector.web import ReviewSite
from services.errors import PeerStatus, reason_of
from services.settings import port
from tests.contract.every_service import METHODS
from tests.contract.token_holders import STRANGERS, TOKENS, write_book
from tests.processes import REPOSITORY, ServiceProcess, free_port_base

DEADLINE_S = 30.0

GATEWAY, JOURNAL = "glossa.gateway.v1.GatewayService", "glossa.gateway.v1.JournalService"
CAPTIONS, COLLECTOR = (
    "glossa.captions.v1.CaptionService",
    "glossa.collector.v1.CollectorService",
)
MODELS = "glossa.types.v1.ModelService"

# Whose token is good for which RPC; everybody else is refused.
RPCS: dict[str, str] = {
    f"{GATEWAY}/StreamAudio": "ingest operate service",
    f"{GATEWAY}/ListSessions": "view ingest review operate service",
    f"{GATEWAY}/CorrectSegment": "operate service",
    f"{GATEWAY}/ReviewPair": "operate service",
    f"{GATEWAY}/ForgetSession": "operate",
    f"{GATEWAY}/EndSession": "operate service",
    f"{GATEWAY}/HoldSession": "operate service",
    f"{GATEWAY}/ResetSession": "operate service",
    f"{GATEWAY}/HideSegment": "operate service",
    f"{GATEWAY}/SetScreens": "operate service",
    f"{GATEWAY}/GetStatus": "operate service",
    f"{JOURNAL}/Follow": "operate service",
    f"{JOURNAL}/FetchAudio": "operate service",
    "glossa.stt.v1.SttService/StreamingTranscribe": "operate service",
    "glossa.mt.v1.MtService/Translate": "operate service",
    "glossa.mt.v1.MtService/StreamTranslate": "operate service",
    "glossa.qe.v1.QeService/Score": "operate service",
    f"{MODELS}/GetModel": "operate service",
    f"{MODELS}/LoadModel": "operate",
    f"{MODELS}/Rollback": "operate",
    f"{CAPTIONS}/Subscribe": "view ingest review operate service",
    f"{CAPTIONS}/ListSessions": "view ingest review operate service",
    f"{COLLECTOR}/Stats": "operate",
    f"{COLLECTOR}/ExportPairs": "operate",
    f"{COLLECTOR}/ListForReview": "review operate",
    f"{COLLECTOR}/LeaseReview": "review operate",
    f"{COLLECTOR}/RenewReview": "review operate",
    f"{COLLECTOR}/ReleaseReview": "review operate",
    f"{COLLECTOR}/SubmitReview": "review operate",
    f"{COLLECTOR}/UndoReview": "review operate",
    f"{COLLECTOR}/FetchReviewAudio": "review operate",
    f"{COLLECTOR}/MakeReport": "operate",
}
EVERYBODY = " ".join(TOKENS)
# The same for the pages' port of captions and of the collector. What is not here is a file of a
# page, and open to all.
CAPTIONS_ROUTES: dict[str, str] = {
    "GET /access": EVERYBODY,
    "GET /ws": "view ingest review operate",
    "GET /events": "view ingest review operate",
    "GET /join": "view ingest review operate",
    "GET /join.svg": "view ingest review operate",
    "GET /sessions": "view ingest review operate",
    "GET /sessions/{session_id}/captions.{format}": "view ingest review operate",
    "GET /sessions/{session_id}/live.m3u8": "view ingest review operate",
    "GET /sessions/{session_id}/live/{piece}.vtt": "view ingest review operate",
    "GET /sessions/{session_id}/live.vtt": "view ingest review operate",
    "GET /operator/microphone": "ingest operate",
    "GET /operator/status": "operate",
    "GET /operator/sessions": "operate",
    "GET /operator/events": "operate",
    "POST /operator/correct": "operate",
    "POST /operator/hide": "operate",
    "POST /operator/hold": "operate",
    "POST /operator/reset": "operate",
    "POST /operator/end": "operate",
    "POST /operator/screens": "operate",
}
# It takes its token in the body, and looks at no other one.
SIGN_IN = "POST /sign-in"
COLLECTOR_ROUTES: dict[str, str] = {
    "POST /api/review/lease": "review operate",
    "POST /api/review/renew": "review operate",
    "POST /api/review/release": "review operate",
    "POST /api/review/submit": "review operate",
    "POST /api/review/undo": "review operate",
    "GET /api/review/progress": "review operate",
    "GET /api/review/audio": "review operate",
}
# What stands for the variable parts of a path.
PARTS = {"{session_id}": "sunday", "{format}": "vtt", "{piece}": "1"}


def routes_of(application: aiohttp.web.Application) -> set[str]:
    return {
        f"{route.method} {route.resource.canonical}"
        for route in application.router.routes()
        if route.method != "HEAD" and route.resource is not None
    }


def files_of(service: str, *pages: str) -> set[str]:
    folder = REPOSITORY / "services" / service / "pages"
    files = {f"/{path.relative_to(folder).as_posix()}" for path in folder.rglob("*.*")}
    return {f"GET {path}" for path in files | set(pages)}


def test_every_rpc_and_every_route_is_in_a_table() -> None:
    assert set(METHODS) == set(RPCS) == set(RULES)
    captions = CaptionsSettings()
    site = WebSite(Relay(captions), captions).application()
    pages = files_of("captions", "/", "/audience", "/overlay", "/operator", "/compare")
    assert routes_of(site) - pages == {SIGN_IN, *CAPTIONS_ROUTES}
    collector = CollectorSettings()
    review = ReviewSite(Reviews.open(collector, str), collector).application()
    assert routes_of(review) - files_of("collector", "/") == set(COLLECTOR_ROUTES)


@pytest.mark.parametrize("service", ["captions", "collector"])
async def test_a_new_route_is_closed_until_it_is_named_a_page(
    http: aiohttp.ClientSession, book: Path, service: str
) -> None:
    async def anything(request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response()

    if service == "captions":
        captions = CaptionsSettings(tokens_file=book)
        site = WebSite(Relay(captions), captions).application()
        pages = files_of("captions", "/", "/audience", "/overlay", "/operator", "/compare")
        own = {"GET /access"}
    else:
        collector = CollectorSettings(tokens_file=book)
        site = ReviewSite(Reviews.open(collector, str), collector).application()
        pages, own = files_of("collector", "/"), set()
    for path in ("/further", "/api", "/v2/further", "/review.html/further"):
        site.router.add_get(path, anything)
        site.router.add_post(path, anything)
    open_to_all = set()
    async with TestServer(site) as server:
        for route in routes_of(site):
            url = str(server.make_url("/")).rstrip("/")
            if await answer(http, url, route, "") == "OK":
                open_to_all.add(route)
            else:
                assert await answer(http, url, route, "") == "TOKEN_WANTED", route
    assert open_to_all == pages | own


def test_in_docker_the_tokens_reach_every_service() -> None:
    overlay = (REPOSITORY / "docker-compose.tokens.yml").read_text()
    _, _, services = overlay.partition("\nservices:\n")
    named = set(re.findall(r"^  ([a-z-]+):(?= \*tokens$|\n    <<: \*tokens$)", services, re.M))
    assert named == {"stt", "mt", "mt-alternative", "qe", "gateway", "captions", "collector"}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.toml"
    write_book(path)
    return path


@pytest.fixture
def every_service(tmp_path: Path, book: Path) -> Iterator[str]:
    """Its address."""
    base = free_port_base()
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("GLOSSA_")},
        "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "protos"))),
        "GLOSSA_EVERY_GRPC_PORT": str(base),
        "GLOSSA_EVERY_HTTP_PORT": str(base + 1),
        "GLOSSA_EVERY_REFLECTION": "true",
        "GLOSSA_EVERY_LOG_LEVEL": "debug",
        "GLOSSA_TOKENS_FILE": str(book),
    }
    with (tmp_path / "every.log").open("wb") as log_file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.every_service"],
            cwd=REPOSITORY,
            env=environment,
            stdout=log_file,
            stderr=log_file,
        )
    yield f"127.0.0.1:{base}"
    process.kill()
    process.wait()


async def outcome(channel: grpc.aio.Channel, method: str, token: str) -> str:
    """OK, or the reason of a refusal. On the wire one answer looks like a stream of one."""
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    told = {"metadata": metadata, "timeout": DEADLINE_S, "wait_for_ready": True}
    is_stream = method not in METHODS or METHODS[method].client_streaming
    call = (
        channel.stream_stream(f"/{method}")(**told)
        if is_stream
        else channel.unary_stream(f"/{method}")(b"", **told)
    )
    status = PeerStatus(call)
    try:
        if is_stream:
            await call.write(b"")
            await call.done_writing()
        while await call.read() is not grpc.aio.EOF:
            pass
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        return reason_of(await status.error())
    finally:
        call.cancel()
    return "OK"


def expected(allowed: str) -> dict[str, str]:
    return {
        who: "OK" if who in allowed.split() else STRANGERS.get(who, "ROLE_TOO_SMALL")
        for who in TOKENS
    }


async def test_every_rpc_is_for_the_roles_that_the_table_names(
    every_service: str, tmp_path: Path
) -> None:
    async with open_channel(every_service) as channel:
        outcomes = {
            method: {who: await outcome(channel, method, token) for who, token in TOKENS.items()}
            for method in METHODS
        }
        for own in ("grpc.health.v1.Health/Check",):
            for token in TOKENS.values():
                assert await outcome(channel, own, token) == "OK"
        reflection = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        assert await outcome(channel, reflection, "") == "OK"
    assert outcomes == {method: expected(allowed) for method, allowed in RPCS.items()}
    log = (tmp_path / "every.log").read_text()
    assert "ROLE_TOO_SMALL" in log
    assert not [token for token in TOKENS.values() if token and token in log]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def answer(http: aiohttp.ClientSession, url: str, route: str, token: str) -> str:
    """OK whatever an allowed call comes to, or the reason of a refusal."""
    method, path = route.split()
    for part, value in PARTS.items():
        path = path.replace(part, value)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = {"json": {}} if method == "POST" else {}
    query = {"after": "-1"} if path == "/events" else {}  # or it would never end
    async with http.request(method, url + path, headers=headers, params=query, **body) as response:
        if response.status not in (401, 403):
            return "OK"
        return str((await response.json())["error"]["reason"])


@pytest.mark.parametrize(
    ("service", "settings", "routes"),
    [
        ("captions", {"catch_up_wait_s": 0, "unknown_wait_s": 0}, CAPTIONS_ROUTES),
        ("collector", {"redis_timeout_s": 0.2}, COLLECTOR_ROUTES),
    ],
)
async def test_every_route_is_for_the_roles_that_the_table_names(
    tmp_path: Path,
    book: Path,
    http: aiohttp.ClientSession,
    service: str,
    settings: dict[str, object],
    routes: dict[str, str],
) -> None:
    base = free_port_base()
    nowhere = f"127.0.0.1:{port('gateway', base)}"
    addresses = {
        "captions": {"upstream_address": nowhere},
        "collector": {
            "gateway_address": nowhere,
            "redis_url": f"redis://127.0.0.1:{port('redis', base)}/0",
        },
    }
    process = ServiceProcess(
        service, base, tmp_path, tokens_file=book, **addresses[service], **settings
    )
    process.start()
    try:
        await process.wait_ready()
        url = f"http://127.0.0.1:{port(f'{service}_web', base)}"
        answers = {
            route: {who: await answer(http, url, route, token) for who, token in TOKENS.items()}
            for route in routes
        }
        pages = [await answer(http, url, "GET /", token) for token in TOKENS.values()]
    finally:
        process.kill()
    assert answers == {route: expected(allowed) for route, allowed in routes.items()}
    assert set(pages) == {"OK"}
    log = process.log_path.read_text()
    assert not [token for token in TOKENS.values() if token and token in log]
