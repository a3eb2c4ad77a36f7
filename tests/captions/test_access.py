"""Who may do what: every route, asked by everybody."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from services.captions.relay import Relay
from services.captions.settings import CaptionsSettings
from services.captions.web.site import WebSite
from services.token_file import Role, TokenEntry, hash_of, write_tokens
from tests.captions.callers import SETTINGS, TOKENS, WRONG, Caller
from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal
from tests.processes import ServiceProcess

GOOD_FOR = {
    "view": {"view"},
    "ingest": {"view", "ingest"},
    "operate": {"view", "ingest", "operate"},
}
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
    "GET /sessions/{session_id}/live.m3u8": ("view", "/sessions/sunday/live.m3u8", 200),
    "GET /sessions/{session_id}/live/{piece}.vtt": ("view", "/sessions/sunday/live/999.vtt", 404),
    "GET /sessions/{session_id}/live.vtt": ("view", "/sessions/sunday/live.vtt?language=de", 404),
    "GET /operator/status": ("operate", "/operator/status", 503),  # the journal is scripted
    "GET /operator/sessions": ("operate", "/operator/sessions", 503),
    "GET /operator/events": ("operate", "/operator/events", 400),  # no WebSocket is asked for
    "GET /operator/microphone": ("ingest", "/operator/microphone", 400),
} | {
    f"POST /operator/{name}": ("operate", f"/operator/{name}", 503)
    for name in ("correct", "hide", "hold", "reset", "end", "screens")
}


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
    caller = Caller(captions)
    _, answer, _ = await caller.ask("GET", "/access")
    assert answer == {"roles": ["view", "ingest", "operate"], "wants_token": False}
    # A proxy on this machine passes on what comes from others.
    proxied = {"X-Forwarded-For": "192.168.1.9"}
    _, answer, _ = await caller.ask("GET", "/access", headers=proxied)
    assert answer == {"roles": ["view"], "wants_token": False}
    assert await caller.status("POST", "/operator/hold", headers=proxied) == 403


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
    assert refusals == dict.fromkeys(_routes_that_want("view"), "TOKEN_WANTED") | dict.fromkeys(
        _routes_that_want("operate", "ingest"), "NO_TOKEN_SET"
    )


async def test_of_two_tokens_the_one_that_reaches_what_is_asked_counts(
    journal: ScriptedJournal, start_captions: StartCaptions, tmp_path: Path
) -> None:
    journal.start_session("sunday-1")
    path = tmp_path / "tokens.toml"
    sessions = {"one": ("sunday-*",), "other": ("monday-*", "tuesday-*")}
    write_tokens(
        path,
        [
            TokenEntry(name, Role.VIEW, hash_of(f"the-token-{name}"), sessions=patterns)
            for name, patterns in sessions.items()
        ],
    )
    caller = Caller(await start_captions(tokens_file=path))
    cookies = {name: await caller.cookie(f"the-token-{name}") for name in sessions}
    for in_cookie, in_address in (("one", "other"), ("other", "one")):
        query = f"token=the-token-{in_address}"
        both = {"headers": {"Cookie": cookies[in_cookie]}}
        answers = {
            session_id: await caller.status(
                "GET", f"/sessions/{session_id}/captions.vtt?{query}", **both
            )
            for session_id in ("sunday-1", "monday-1", "friday-1")
        }
        assert answers == {"sunday-1": 200, "monday-1": 404, "friday-1": 403}
        _, listed, _ = await caller.ask("GET", f"/sessions?{query}", **both)
        assert [each["session_id"] for each in listed["sessions"]] == ["sunday-1"]


async def test_what_is_asked_cannot_steer_the_terminal_that_shows_the_log(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(**SETTINGS, log_format="console")
    path = f"/sessions/%1b%5d0;stolen%07/captions.txt?token={WRONG}"
    assert await Caller(captions).status("GET", path) == 401
    log = captions.log_path.read_text()
    assert "stolen" in log
    assert "\x1b]0" not in log
    assert WRONG not in log


@pytest.mark.parametrize("role", ["operator", "ingest"])
def test_a_token_that_everybody_is_shown_is_good_for_nothing_but_reading(role: str) -> None:
    tokens = {"view_token": TOKENS["view"], f"{role}_token": TOKENS["view"]}
    with pytest.raises(ValueError, match="set another one"):
        CaptionsSettings(**tokens)  # type: ignore[arg-type]
