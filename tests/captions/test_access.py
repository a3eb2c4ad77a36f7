"""Who may do what: every route, asked by everybody."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest

from services.captions.relay import Relay
from services.captions.settings import CaptionsSettings
from services.captions.web.site import WebSite
from services.captions.web.wrong_tokens import WrongTokens
from services.errors import Overloaded, reason_of
from tests.captions.conftest import StartCaptions
from tests.captions.displays import subscribed
from tests.captions.upstream import ScriptedJournal
from tests.processes import ServiceProcess

TOKENS = {
    "view": "a-view-token-of-this-test",
    "ingest": "an-ingest-token-of-this-test",
    "operate": "an-operators-token-of-this-test",
}
GOOD_FOR = {
    "view": {"view"},
    "ingest": {"view", "ingest"},
    "operate": {"view", "ingest", "operate"},
}
SETTINGS = {f"{name}_token": token for name, token in TOKENS.items()} | {
    "operator_token": TOKENS["operate"],
    "allowed_origins": "https://displays.example.org",
    "public_url": "https://captions.example.org/",
}
WRONG = "a-token-that-nobody-has"

# The role that each route wants, what is asked, and the answer to who has that role. What is not
# here is a file of a page and open to all.
ROUTES: dict[str, tuple[str | None, str, int]] = {
    "GET /access": (None, "/access", 200),
    "POST /sign-in": (None, "/sign-in", 401),  # the body that is sent has no token
    "GET /ws": ("view", "/ws", 400),  # no WebSocket is asked for
    "GET /events": ("view", "/events?after=-1", 400),
    "GET /join": ("view", "/join", 200),
    "GET /join.svg": ("view", "/join.svg", 200),
    "GET /sessions": ("view", "/sessions", 200),
    "GET /sessions/{session_id}/captions.{format}": ("view", "/sessions/sunday/captions.vtt", 200),
    "GET /sessions/{session_id}/live.vtt": ("view", "/sessions/sunday/live.vtt?language=de", 404),
    "GET /operator/status": ("operate", "/operator/status", 503),  # the journal is scripted
    "GET /operator/sessions": ("operate", "/operator/sessions", 503),
    "GET /operator/events": ("operate", "/operator/events", 400),  # no WebSocket is asked for
    "GET /operator/microphone": ("ingest", "/operator/microphone", 400),
} | {
    f"POST /operator/{name}": ("operate", f"/operator/{name}", 503)
    for name in ("correct", "hide", "hold", "reset", "end", "screens")
}


class Caller:
    """Asks a captions service from an address of its own."""

    def __init__(self, captions: ServiceProcess, address: str = "127.0.0.1") -> None:
        self.url = str(captions.web)  # type: ignore[attr-defined]
        self._address = address

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
        connector = aiohttp.TCPConnector(local_addr=(self._address, 0), ssl=False)
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.request(method, self.url + path, **options) as answer,
        ):
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else None, answer.headers

    async def status(self, method: str, path: str, **options: Any) -> int:
        if method == "POST":
            options = {"json": {}} | options
        return (await self.ask(method, path, **options))[0]

    async def reason(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        status, body, _ = await self.ask(method, path, **options)
        return status, body["error"]["reason"]

    async def cookie(self, token: str) -> str:
        status, _, headers = await self.ask("POST", "/sign-in", json={"token": token})
        assert status == 200
        return headers["Set-Cookie"].split(";")[0]


def routes_of_the_site() -> set[str]:
    settings = CaptionsSettings()
    routes = WebSite(Relay(settings), settings).application().router.routes()
    return {
        f"{route.method} {route.resource.canonical}"
        for route in routes
        if route.method != "HEAD" and route.resource is not None
    }


def page_files() -> set[str]:
    folder = Path(__file__).parents[2] / "services/captions/pages"
    files = {f"GET /{path.relative_to(folder).as_posix()}" for path in folder.rglob("*.*")}
    return files | {
        f"GET {page}" for page in ("/", "/audience", "/overlay", "/operator", "/compare")
    }


def test_every_route_is_in_the_table() -> None:
    routes = routes_of_the_site()
    assert routes - page_files() == set(ROUTES)
    assert {"GET /", "GET /phone/index.html"} <= routes


async def test_every_route_wants_its_role_of_everybody(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions(**SETTINGS)
    caller = Caller(captions)
    cookies = {holder: await caller.cookie(token) for holder, token in TOKENS.items()}
    pages = {route: (None, route.split()[1], 200) for route in routes_of_the_site() - set(ROUTES)}
    wrong_answers = {}
    for number, (route, (role, path, allowed)) in enumerate((ROUTES | pages).items()):
        method = route.split()[0]
        tries = {
            **by_credentials(role, path, allowed, cookies),
            **by_place(caller.url, path, allowed, cookies, is_page=route in pages),
        }
        if route in pages and path != "/":  # there are many, and they know no roles
            tries = {who: tries[who] for who in ("nobody", "a wrong token", "by the name ''")}
        # Wrong tokens are counted by address.
        guesser = Caller(captions, f"127.0.1.{number + 1}")
        for who, (where, headers, expected) in tries.items():
            asking = guesser if "wrong" in who else caller
            status = await asking.status(method, where, headers=headers)
            if status != expected:
                wrong_answers[route, who] = (status, expected)
    assert wrong_answers == {}
    log = captions.log_path.read_text()
    assert not any(secret in log for secret in (*TOKENS.values(), WRONG))


Try = tuple[str, dict[str, str], int]  # what is asked with which headers, and the answer


def by_credentials(
    role: str | None, path: str, allowed: int, cookies: dict[str, str]
) -> dict[str, Try]:
    """Nobody, who has something wrong, and the holders of each token in each way to bring it."""
    mark = "&" if "?" in path else "?"
    name = cookies["view"].split("=")[0]
    refused = allowed if role is None else 401
    tries: dict[str, Try] = {
        "nobody": (path, {}, refused),
        "a wrong token": (path, {"Authorization": f"Bearer {WRONG}"}, refused),
        "a wrong ?token": (f"{path}{mark}token={WRONG}", {}, refused),
        "another scheme": (path, {"Authorization": f"Basic {TOKENS['operate']}"}, refused),
        "a wrong cookie": (path, {"Cookie": f"{name}={WRONG}"}, refused),
        "a token as cookie": (path, {"Cookie": f"{name}={TOKENS['operate']}"}, refused),
    }
    for holder, token in TOKENS.items():
        status = allowed if role is None or role in GOOD_FOR[holder] else 403
        tries[f"{holder} token"] = (path, {"Authorization": f"Bearer {token}"}, status)
        tries[f"{holder} ?token"] = (f"{path}{mark}token={token}", {}, status)
        tries[f"{holder} cookie"] = (path, {"Cookie": cookies[holder]}, status)
    return tries


def by_place(
    url: str, path: str, allowed: int, cookies: dict[str, str], *, is_page: bool
) -> dict[str, Try]:
    """An operator's browser, sent by other sites' pages and by other names of this machine."""
    operator = {"Cookie": cookies["operate"]}
    origins = dict.fromkeys(
        ("https://evil.example", "null", "http://localhost", "http://[::1", f"{url}0"),
        allowed if is_page else 403,
    ) | dict.fromkeys(("https://displays.example.org", url), allowed)
    names = dict.fromkeys(("evil.example", "localhost.evil.example", "127.0.0.1.evil", ""), 403)
    names |= dict.fromkeys(("localhost:1", "[::1]:1", "192.168.1.9", socket.gethostname()), allowed)
    names |= dict.fromkeys(("captions.example.org", "displays.example.org:81"), allowed)
    return {
        f"a page of {origin!r}": (path, operator | {"Origin": origin}, status)
        for origin, status in origins.items()
    } | {
        f"by the name {name!r}": (path, operator | {"Host": name}, status)
        for name, status in names.items()
    }


async def test_a_cookie_is_for_this_site_alone_and_tells_nothing_of_the_token(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(**SETTINGS)
    caller = Caller(captions)
    body = {"token": TOKENS["view"]}
    status, answer, headers = await caller.ask("POST", "/sign-in", json=body)
    assert (status, answer) == (200, {"roles": ["view"], "wants_token": False})
    cookie, *attributes = headers["Set-Cookie"].split("; ")
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Strict"}
    assert TOKENS["view"] not in cookie
    assert headers["Cache-Control"] == "no-store"
    encrypted = {"X-Forwarded-Proto": "https"}
    _, _, headers = await caller.ask("POST", "/sign-in", json=body, headers=encrypted)
    assert "Secure" in headers["Set-Cookie"].split("; ")
    # It outlives the service, which knows nothing of who signed in.
    captions.kill()
    captions.start()
    await captions.wait_ready()
    _, answer, _ = await caller.ask("GET", "/access", headers={"Cookie": cookie})
    assert answer == {"roles": ["view"], "wants_token": False}
    _, answer, _ = await caller.ask("GET", "/access")
    assert answer == {"roles": [], "wants_token": True}


async def test_an_operator_who_follows_a_link_for_phones_stays_an_operator(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    caller = Caller(await start_captions(**SETTINGS))
    operator = {"Cookie": await caller.cookie(TOKENS["operate"])}
    body = {"token": TOKENS["view"]}
    status, _, headers = await caller.ask("POST", "/sign-in", json=body, headers=operator)
    assert (status, headers.get("Set-Cookie")) == (200, None)
    viewer = {"Cookie": await caller.cookie(TOKENS["view"])}
    body = {"token": TOKENS["operate"]}
    _, _, headers = await caller.ask("POST", "/sign-in", json=body, headers=viewer)
    assert headers["Set-Cookie"].startswith(operator["Cookie"])


async def test_what_is_no_sign_in_is_refused_with_a_reason(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    caller = Caller(await start_captions(**SETTINGS))
    json_type = {"Content-Type": "application/json"}
    refusals = {
        b"": (400, "INVALID_REQUEST"),
        b"[]": (400, "INVALID_REQUEST"),
        b"[" * 10_000: (400, "INVALID_REQUEST"),
        b'{"token": 1}': (400, "INVALID_REQUEST"),
        rb'{"token": "\ud800"}': (400, "INVALID_REQUEST"),
        b'{"token": "' + b"x" * 40_000 + b'"}': (413, "BODY_TOO_LARGE"),
        b'{"token": "not it"}': (401, "TOKEN_REFUSED"),
        '{"token": "né"}'.encode(): (401, "TOKEN_REFUSED"),
    }
    for body, refusal in refusals.items():
        given = await caller.reason("POST", "/sign-in", data=body, headers=json_type)
        assert given == refusal, body[:40]
    form = {"data": {"token": TOKENS["view"]}}
    assert await caller.reason("POST", "/sign-in", **form) == (415, "JSON_WANTED")


async def test_who_guesses_is_slowed_down_and_nobody_else(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(**SETTINGS)
    guesser, neighbour = Caller(captions, "127.0.2.1"), Caller(captions, "127.0.2.2")
    cookie = {"Cookie": await guesser.cookie(TOKENS["view"])}
    reasons = [await guesser.reason("GET", f"/sessions?token={WRONG}{i}") for i in range(25)]
    assert reasons[:20] == [(401, "TOKEN_REFUSED")] * 20
    assert reasons[-1] == (429, "TOO_MANY_WRONG_TOKENS")
    right = {"Authorization": f"Bearer {TOKENS['view']}"}
    status, _, headers = await guesser.ask("GET", "/sessions", headers=right)
    assert (status, 1 <= int(headers["Retry-After"]) <= 3) == (429, True)
    assert await guesser.reason("GET", f"/access?token={WRONG}") == (429, "TOO_MANY_WRONG_TOKENS")
    assert await guesser.status("GET", "/sessions", headers=cookie) == 200
    assert await neighbour.status("GET", "/sessions", headers=right) == 200


def test_guessing_is_forgiven_with_time_and_remembered_of_so_many_alone() -> None:
    now_s = 1000.0
    tokens = WrongTokens(lambda: now_s)
    for _ in range(20):
        tokens.check("a")
        tokens.count("a")
    with pytest.raises(Overloaded):
        tokens.check("a")
    now_s += 3.0
    tokens.check("a")
    tokens.count("a")
    with pytest.raises(Overloaded):
        tokens.check("a")
    for number in range(5000):
        tokens.count(f"peer {number}")
    tokens.check("a")  # made room
    assert len(tokens._paid_until_s) == 4096


async def _refusals(captions: ServiceProcess) -> dict[str, str]:
    """Of the routes that want a role: what who has no token is told."""
    caller, refusals = Caller(captions), {}
    for route, (role, path, _) in ROUTES.items():
        method = route.split()[0]
        body = {"json": {}} if method == "POST" else {}
        status, answer, _ = await caller.ask(method, path, **body)
        if role is not None and status in (401, 403):
            refusals[route] = answer["error"]["reason"]
    return refusals


def _routes_that_want(*roles: str) -> set[str]:
    return {route for route, (role, _, _) in ROUTES.items() if role in roles}


async def test_without_tokens_who_sits_at_the_machine_may_do_everything(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions()
    assert await _refusals(captions) == {}
    _, answer, _ = await Caller(captions).ask("GET", "/access")
    assert answer == {"roles": ["view", "ingest", "operate"], "wants_token": False}


@pytest.mark.parametrize(
    "settings",
    [{"web_host": "0.0.0.0"}, {"public_url": "https://captions.example.org/"}],
    ids=["other machines reach the port", "a proxy passes others on"],
)
async def test_without_tokens_others_may_only_read(
    journal: ScriptedJournal, start_captions: StartCaptions, settings: dict[str, str]
) -> None:
    captions = await start_captions(**settings)
    refusals = await _refusals(captions)
    assert refusals == dict.fromkeys(_routes_that_want("operate", "ingest"), "NO_TOKEN_SET")
    _, answer, _ = await Caller(captions).ask("GET", "/access")
    assert answer == {"roles": ["view"], "wants_token": False}


async def test_a_view_token_alone_closes_everything_to_who_has_none(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(view_token=TOKENS["view"])
    refusals = await _refusals(captions)
    assert refusals == dict.fromkeys(_routes_that_want("view"), "TOKEN_REFUSED") | dict.fromkeys(
        _routes_that_want("operate", "ingest"), "NO_TOKEN_SET"
    )


async def test_displays_over_grpc_and_relays_bring_the_view_token(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions(**SETTINGS)
    upstream = {"upstream_kind": "captions", "upstream_address": captions.address}
    relay = await start_captions(**upstream, upstream_token=TOKENS["view"])
    async with subscribed(relay.address) as display:
        assert (await display.until_caught_up())[0].session_started.title == "A sermon"
    for metadata in (
        None,
        [("authorization", f"Bearer {WRONG}")],
        [("authorization", TOKENS["view"])],
    ):
        async with subscribed(captions.address, metadata=metadata) as display:
            refused = await display.failure()
        assert refused.code() is grpc.StatusCode.UNAUTHENTICATED
        assert reason_of(refused) == "TOKEN_REFUSED"
    for token in TOKENS.values():
        metadata = [("authorization", f"Bearer {token}")]
        async with subscribed(captions.address, metadata=metadata) as display:
            await display.until_caught_up()
    lost = await start_captions(**upstream, upstream_token=WRONG, catch_up_wait_s=0)
    async with subscribed(lost.address) as display:
        assert reason_of(await display.failure()) == "NOT_READY"
    assert "TOKEN_REFUSED" in lost.log_path.read_text()
