"""Who may reach the review's operations over HTTP, and what they answer."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from services.settings import port
from tests.collector.conftest import Stack, stack
from tests.collector.upstream import pair_scored
from tests.services.test_limits import connections

__all__ = ["stack"]

TOKEN = "a-token-of-this-test"
OPERATIONS = ("lease", "renew", "release", "submit", "undo")
DOUBTFUL = {"translation_qe": 0.55, "marian_agreement": 0.6}


class Site:
    """Asks a collector's web port."""

    def __init__(self, stack: Stack) -> None:
        self.port = port("collector_web", stack.base)
        self.url = f"http://127.0.0.1:{self.port}"

    async def ask(
        self, method: str, path: str, **options: Any
    ) -> tuple[int, dict[str, Any], aiohttp.typedefs.LooseHeaders]:
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, self.url + path, **options) as answer,
        ):
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else {}, answer.headers

    async def refused(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        status, body, _ = await self.ask(method, path, **options)
        return status, body["error"]["reason"]


async def start(stack: Stack, **settings: object) -> Site:
    """A collector that knows one doubtful pair."""
    stack.collector = stack.new_collector(**settings)
    stack.upstream.add([pair_scored(1, signals=DOUBTFUL)])
    await stack.start()
    await stack.caught_up()
    return Site(stack)


async def test_every_operation_wants_the_token(stack: Stack) -> None:
    site = await start(stack, review_token=TOKEN)
    wrong = ("", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN)
    for authorization in wrong:
        headers = {"Authorization": authorization} if authorization else {}
        for name in OPERATIONS:
            path = f"/api/review/{name}"
            refusal = await site.refused("POST", path, json={}, headers=headers)
            assert refusal in ((401, "TOKEN_UNKNOWN"), (401, "TOKEN_WANTED")), (name, authorization)
        for name in ("progress", "audio"):
            refusal = await site.refused("GET", f"/api/review/{name}", headers=headers)
            assert refusal in ((401, "TOKEN_UNKNOWN"), (401, "TOKEN_WANTED"))
    status, body, _ = await site.ask(
        "POST",
        "/api/review/lease",
        json={"reviewer": "Ana"},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert (status, body["item"]["pair"]["pair_id"]) == (200, "session-a/1/es")
    assert body["progress"] == {"open_count": 1, "leased_count": 1, "reviewed_count": 0}
    assert TOKEN not in stack.collector.log_path.read_text()


async def test_another_site_reaches_nothing(stack: Stack) -> None:
    site = await start(stack, allowed_origins="https://review.example.org")
    path, body = "/api/review/lease", {"reviewer": "Ana"}
    for origin in ("https://evil.example", "null", "http://localhost", f"{site.url}0"):
        refusal = await site.refused("POST", path, json=body, headers={"Origin": origin})
        assert refusal == (403, "ORIGIN_REFUSED")
    # A name of the attacker's that points to this machine: its page would be of the same origin.
    for host in ("evil.example", f"evil.example:{site.port}", "localhost.evil.example", "a b", ""):
        for method, where in (("POST", path), ("GET", "/")):
            refusal = await site.refused(method, where, json=body, headers={"Host": host})
            assert refusal[0] in (400, 403), host
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        refusal = await site.refused(
            "POST", path, data='{"reviewer": "Ana"}', headers={"Content-Type": content_type}
        )
        assert refusal == (415, "JSON_WANTED")
    assert stack.redis.client.hlen("glossa:review:lease:pairs") == 0
    for headers in (
        {"Origin": site.url},
        {"Host": "localhost:1"},
        {"Host": "[::1]:1"},
        {"Host": "review.example.org", "Origin": "https://review.example.org"},
    ):
        status, _, _ = await site.ask("POST", path, json=body, headers=headers)
        assert status == 200, headers


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "INVALID_REQUEST"),
        (b"[]", "INVALID_REQUEST"),
        (b"\xff", "INVALID_REQUEST"),
        (b"[" * 100_000, "INVALID_REQUEST"),
        (b'{"reviewer": 1}', "INVALID_REQUEST"),
        (rb'{"reviewer": "\ud800"}', "INVALID_REQUEST"),
        (b'{"reviewer": ""}', "INVALID_REVIEWER"),
        (b'{"reviewer": "a\\nb"}', "INVALID_REVIEWER"),
        (b'{"reviewer": "Ana", "pair_id": "nowhere"}', "UNKNOWN_PAIR"),
        (b'"' + b"x" * (256 * 1024 - 2) + b'"', "INVALID_REQUEST"),
        (b'"' + b"x" * (256 * 1024 - 1) + b'"', "BODY_TOO_LARGE"),
    ],
)
async def test_what_is_no_request_is_refused_in_json(
    stack: Stack, body: bytes, reason: str
) -> None:
    site = await start(stack)
    json_type = {"Content-Type": "application/json"}
    status, refused = await site.refused("POST", "/api/review/lease", data=body, headers=json_type)
    assert refused == reason
    assert 400 <= status < 500


async def test_a_host_has_256_connections_and_one_more_gets_a_429(stack: Stack) -> None:
    site = await start(stack)
    with connections(site.port, 255):
        status, _, _ = await site.ask(
            "GET", "/api/review/progress", headers={"Connection": "close"}
        )
        assert status == 200
        with connections(site.port, 1):
            refused = await site.refused("GET", "/api/review/progress")
            assert refused == (429, "TOO_MANY_CONNECTIONS")


async def test_a_lost_lease_and_a_strange_decision_are_said(stack: Stack) -> None:
    site = await start(stack)
    submit = {"lease_id": "nobody's", "decision": "accepted"}
    assert await site.refused("POST", "/api/review/submit", json=submit) == (409, "LEASE_LOST")
    for decision in ("", "withdrawn", "ACCEPTED", "perhaps"):
        refusal = await site.refused(
            "POST", "/api/review/submit", json=submit | {"decision": decision}
        )
        assert refusal == (400, "INVALID_DECISION")
    assert await site.refused("GET", "/api/review/submit") == (405, "METHOD_NOT_ALLOWED")
    audio = await site.refused("GET", "/api/review/audio?pair_id=nowhere")
    assert audio == (404, "UNKNOWN_PAIR")


async def test_without_redis_it_says_so_and_comes_back(stack: Stack) -> None:
    site = await start(stack)
    stack.redis.kill()
    body = {"reviewer": "Ana"}
    refusal = await site.refused("POST", "/api/review/lease", json=body)
    assert refusal == (503, "QUEUE_UNAVAILABLE")
    stack.redis.start()
    status, answer, _ = await site.ask("POST", "/api/review/lease", json=body)
    assert (status, answer["item"]["pair"]["segment_id"]) == (200, 1)


async def test_every_answer_forbids_what_the_page_does_not_need(stack: Stack) -> None:
    site = await start(stack)
    files = ("/review.html", "/review.js", "/review-api.js", "/review.css", "/icon.svg")
    for path in ("/", *files, "/api/review/progress", "/nowhere", "/..%2fweb.py", "/pages"):
        status, _, headers = await site.ask("GET", path)
        assert status == (200 if path in ("/", *files, "/api/review/progress") else 404), path
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "media-src blob:" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
